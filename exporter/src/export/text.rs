//! Text for people: an exchange or a change of a connection in, lines out.
//!
//! An exchange is one line in columns. Its header fields follow when asked, as on the wire, with
//! `>` before the request's and `<` before the response's; `*` stands before what is remarkable.
//! Nothing from the wire reaches the terminal as a control character.

use super::Item;
use super::attributes::{self, Value, table};
use super::escape::push_printable;
use super::line;
use super::target::Target;
use crate::connection::{Change, Connection};
use crate::exchange::{Exchange, Role, View};
use crate::fields::Fields;
use crate::flow::{Endpoint, Timestamp};
use crate::http::{Request, Response, Version};
use crate::tls::Handshake;

mod lookup;

/// Columns of the process and the method, which are filled up on the right, and of the duration,
/// on the left. Longer ones push the rest away.
const PROCESS_COLUMNS: usize = 20;
const METHOD_COLUMNS: usize = 7;
const DURATION_COLUMNS: usize = 8;

/// Select Graphic Rendition sequences (ECMA-48 section 8.3.117).
const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";

/// Attributes that are told only when there is something out of the ordinary.
const REMARKABLE: [&str; 5] = [
    table::ERROR_TYPE,
    table::INCOMPLETE,
    table::ERROR_CODE,
    table::REQUEST_UNKNOWN_FIELDS,
    table::RESPONSE_UNKNOWN_FIELDS,
];

/// How the lines are to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// The header fields follow the line of an exchange.
    pub headers: bool,
    /// Colours by ANSI sequences; for terminals.
    pub colour: bool,
}

impl Text {
    /// The lines of an item, each with its end; `None` for a connection that opened or closed: what
    /// it carried tells the rest.
    #[must_use]
    pub fn lines(&self, item: Item<'_>) -> Option<String> {
        match item {
            Item::Exchange(exchange) => Some(self.exchange(exchange)),
            Item::Handshake(handshake) => Some(self.handshake(handshake)),
            Item::Lookup(lookup) => Some(self.lookup(lookup)),
            Item::Connection(connection) => match connection.change {
                Change::Failed(_) => Some(self.connection(connection)),
                Change::Open | Change::Close { .. } => None,
            },
        }
    }

    /// The lines of an exchange, each with its end. An exchange with both ends on this host is
    /// told once.
    #[must_use]
    pub fn exchange(&self, exchange: &Exchange) -> String {
        let Some(view) = exchange.views.first() else { return String::new() };
        let target = Target::of(exchange, view.role);
        let mut out = String::with_capacity(256);
        self.summary(&mut out, exchange, view, &target);
        if self.headers {
            self.request(&mut out, exchange);
            for interim in &exchange.interim {
                self.response(&mut out, interim);
            }
            if let Some(response) = &exchange.response {
                self.response(&mut out, response);
            }
            if let Some(end) = &exchange.response_end {
                self.fields(&mut out, '<', &end.trailers);
            }
            self.remarks(&mut out, exchange, view, &target);
        }
        out
    }

    /// The line of a handshake, with its end. One with both ends on this host is told once.
    #[must_use]
    pub fn handshake(&self, handshake: &Handshake) -> String {
        let Some(view) = handshake.views.first() else { return String::new() };
        let mut out = String::with_capacity(192);
        self.paint(&mut out, DIM, |out| push_time(out, handshake.start()));
        out.push_str(arrow(&handshake.views));
        let end = if view.role == Role::Server { handshake.server } else { handshake.client };
        let start = out.len();
        line::push_process(&mut out, &view.process, end);
        fill(&mut out, start, PROCESS_COLUMNS);
        out.push(' ');
        let start = out.len();
        out.push_str("TLS");
        fill(&mut out, start, METHOD_COLUMNS);
        out.push(' ');
        let colour = if handshake.server_hello.is_some() { GREEN } else { RED };
        self.paint(&mut out, colour, |out| line::push_handshake_outcome(out, handshake));
        out.push(' ');
        push_duration(&mut out, handshake.duration_ns().unwrap_or_default());
        out.push(' ');
        self.paint(&mut out, BOLD, |out| line::push_handshake_server(out, handshake));
        line::push_choice(&mut out, handshake);
        push_peer(&mut out, &handshake.views, handshake.client, handshake.server);
        out.push('\n');
        out
    }

    /// The line of a change of a connection, with its end.
    #[must_use]
    pub fn connection(&self, connection: &Connection) -> String {
        let mut out = String::with_capacity(128);
        self.paint(&mut out, DIM, |out| {
            push_time(out, connection.at);
            out.push_str(" -- ");
            out.push_str(&line::connection(connection));
        });
        out.push('\n');
        out
    }

    fn summary(&self, out: &mut String, exchange: &Exchange, view: &View, target: &Target<'_>) {
        self.paint(out, DIM, |out| push_time(out, exchange.start()));
        out.push_str(arrow(&exchange.views));
        let end = if view.role == Role::Server { exchange.server } else { exchange.client };
        let start = out.len();
        line::push_process(out, &view.process, end);
        fill(out, start, PROCESS_COLUMNS);
        out.push(' ');
        let start = out.len();
        line::push_method(out, exchange);
        fill(out, start, METHOD_COLUMNS);
        out.push(' ');
        self.paint(out, outcome_colour(exchange), |out| line::push_outcome(out, exchange));
        out.push(' ');
        push_duration(out, exchange.end().since(exchange.start()));
        out.push(' ');
        self.paint(out, BOLD, |out| push_url(out, exchange, target));
        push_peer(out, &exchange.views, exchange.client, exchange.server);
        out.push('\n');
    }

    fn request(&self, out: &mut String, exchange: &Exchange) {
        if let Some(request) = &exchange.request {
            self.request_head(out, request);
        }
        if let Some(end) = &exchange.request_end {
            self.fields(out, '>', &end.trailers);
        }
    }

    fn request_head(&self, out: &mut String, request: &Request) {
        self.lead(out, '>');
        push_known(out, &request.method);
        out.push(' ');
        push_known(out, &request.target);
        push_version(out, " ", request.version);
        out.push('\n');
        self.fields(out, '>', &request.fields);
    }

    fn response(&self, out: &mut String, response: &Response) {
        self.lead(out, '<');
        push_version(out, "", response.version);
        out.push(' ');
        self.paint(out, status_colour(response.status), |out| match response.status {
            0 => out.push('?'),
            status => out.push_str(&status.to_string()),
        });
        if let Some(reason) = &response.reason {
            out.push(' ');
            push_printable(out, reason);
        }
        out.push('\n');
        self.fields(out, '<', &response.fields);
    }

    fn fields(&self, out: &mut String, side: char, fields: &Fields) {
        for (name, value) in fields.iter() {
            self.lead(out, side);
            self.paint(out, CYAN, |out| push_printable(out, name));
            out.push_str(": ");
            push_printable(out, value);
            out.push('\n');
        }
    }

    /// What the attributes tell only when it is out of the ordinary.
    fn remarks(&self, out: &mut String, exchange: &Exchange, view: &View, target: &Target<'_>) {
        attributes::exchange(exchange, view, target, &mut |key, value| match value {
            Value::Bool(true) => self.remark(out, key.name()),
            Value::Str(text) if REMARKABLE.contains(&key.name()) => {
                self.remark(out, &format!("{} {text}", key.name()));
            }
            Value::Int(count) if REMARKABLE.contains(&key.name()) => {
                self.remark(out, &format!("{} {count}", key.name()));
            }
            _ => {}
        });
        let (request, response) = (exchange.dropped.request, exchange.dropped.response);
        if request > 0 || response > 0 {
            self.remark(out, &format!("kept back: {request} request, {response} response fields"));
        }
    }

    fn remark(&self, out: &mut String, text: &str) {
        self.lead(out, '*');
        self.paint(out, YELLOW, |out| push_printable(out, text.as_bytes()));
        out.push('\n');
    }

    fn lead(&self, out: &mut String, side: char) {
        out.push_str("    ");
        self.paint(out, DIM, |out| out.push(side));
        out.push(' ');
    }

    fn paint(&self, out: &mut String, colour: &str, write: impl FnOnce(&mut String)) {
        if self.colour {
            out.push_str(colour);
        }
        write(out);
        if self.colour {
            out.push_str(RESET);
        }
    }
}

/// `?` where it is not known.
fn push_known(out: &mut String, text: &[u8]) {
    push_printable(out, if text.is_empty() { b"?" } else { text });
}

/// Adds spaces until what was written from byte `start` on has this many columns.
fn fill(out: &mut String, start: usize, columns: usize) {
    let written = out.get(start..).map_or(0, |text| text.chars().count());
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(written)));
}

/// `->`: the process is the client, `<-`: the server, `<>`: both are here, `--`: neither.
fn arrow(views: &[View]) -> &'static str {
    let is = |role| views.iter().any(|view| view.role == role);
    match (is(Role::Client), is(Role::Server)) {
        (true, true) => " <> ",
        (true, false) => " -> ",
        (false, true) => " <- ",
        (false, false) => " -- ",
    }
}

/// `shop.internal:8080/api/items`; a target that names its server itself stands alone.
fn push_url(out: &mut String, exchange: &Exchange, target: &Target<'_>) {
    let raw = exchange.request.as_ref().map_or(&b""[..], |request| &request.target);
    if raw.starts_with(b"/") {
        line::push_server(out, target);
        line::push_target(out, exchange);
    } else if raw.is_empty() {
        line::push_server(out, target);
    } else if raw == b"*" {
        line::push_server(out, target);
        out.push_str(" *");
    } else {
        line::push_target(out, exchange);
    }
}

/// Who else took part: the process at the other end if it is on this host, else the peer's
/// address where the line does not have it.
fn push_peer(out: &mut String, views: &[View], client: Endpoint, server: Endpoint) {
    if let Some(other) = views.get(1) {
        let end = if other.role == Role::Server { server } else { client };
        out.push_str(if other.role == Role::Server { " to " } else { " from " });
        line::push_process(out, &other.process, end);
    } else if views.first().is_some_and(|view| view.role == Role::Server) {
        out.push_str(" from ");
        out.push_str(&client.to_string());
    }
}

fn push_duration(out: &mut String, ns: u64) {
    let mut duration = String::new();
    line::push_duration(&mut duration, ns);
    out.extend(std::iter::repeat_n(' ', DURATION_COLUMNS.saturating_sub(duration.len())));
    out.push_str(&duration);
}

fn push_version(out: &mut String, before: &str, version: Version) {
    out.push_str(before);
    out.push_str("HTTP/");
    push_printable(out, version.as_str().as_bytes());
}

fn outcome_colour(exchange: &Exchange) -> &'static str {
    match (&exchange.response, exchange.failure) {
        (_, Some(_)) => RED,
        (Some(response), None) => status_colour(response.status),
        (None, None) => DIM,
    }
}

fn status_colour(status: u16) -> &'static str {
    match status {
        500.. => RED,
        400..500 => YELLOW,
        300..400 => CYAN,
        200..300 => GREEN,
        _ => DIM,
    }
}

/// The time of day in UTC, with milliseconds: `08:10:11.123`.
fn push_time(out: &mut String, at: Timestamp) {
    let ms = at.0 / 1_000_000;
    let (s, ms) = (ms / 1_000, ms % 1_000);
    let (hour, minute, second) = (s / 3_600 % 24, s / 60 % 60, s % 60);
    out.push_str(&format!("{hour:02}:{minute:02}:{second:02}.{ms:03}"));
}

#[cfg(test)]
mod tests;
