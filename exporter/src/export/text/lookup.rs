//! Text for people of a lookup: one line in the columns of an exchange, then what was asked
//! besides and each answer, when asked for as header fields are.

use super::{
    BOLD, CYAN, DIM, DURATION_COLUMNS, GREEN, METHOD_COLUMNS, PROCESS_COLUMNS, RED, Text, YELLOW,
    arrow, fill, push_time,
};
use crate::dns::registry::type_name;
use crate::dns::{Extent, Lookup};
use crate::exchange::Role;
use crate::export::attributes::error_code;
use crate::export::escape::push_printable;
use crate::export::line;

impl Text {
    /// The lines of a lookup, each with its end. A lookup with both ends on this host is told
    /// once.
    #[must_use]
    pub fn lookup(&self, lookup: &Lookup) -> String {
        let mut out = String::with_capacity(256);
        self.lookup_summary(&mut out, lookup);
        if self.headers {
            for question in lookup.questions().iter().skip(1) {
                self.lead(&mut out, '>');
                out.push_str(&type_name(question.rtype));
                out.push(' ');
                push_printable(&mut out, question.name.as_bytes());
                out.push('\n');
            }
            self.answers(&mut out, lookup);
            if lookup.has(Extent::Malformed) {
                self.remark(&mut out, "malformed");
            }
        }
        out
    }

    fn lookup_summary(&self, out: &mut String, lookup: &Lookup) {
        let Some(view) = lookup.views.first() else { return };
        let is_server = view.role == Role::Server;
        let (own, other) =
            if is_server { (lookup.server, lookup.client) } else { (lookup.client, lookup.server) };
        self.paint(out, DIM, |out| push_time(out, lookup.start()));
        out.push_str(arrow(&lookup.views));
        let start = out.len();
        line::push_process(out, &view.process, own);
        fill(out, start, PROCESS_COLUMNS);
        out.push(' ');
        let start = out.len();
        out.push_str(lookup.protocol.as_str());
        fill(out, start, METHOD_COLUMNS);
        out.push(' ');
        self.paint(out, colour(lookup), |out| line::push_result(out, lookup));
        out.push(' ');
        let mut duration = String::new();
        if let Some(ns) = lookup.duration_ns() {
            line::push_duration(&mut duration, ns);
        }
        out.extend(std::iter::repeat_n(' ', DURATION_COLUMNS.saturating_sub(duration.len())));
        out.push_str(&duration);
        out.push(' ');
        self.paint(out, BOLD, |out| line::push_asked(out, lookup));
        out.push_str(if is_server { " from " } else { " to " });
        match lookup.views.get(1) {
            Some(view) => line::push_process(out, &view.process, other),
            None => out.push_str(&other.to_string()),
        }
        out.push('\n');
    }

    fn answers(&self, out: &mut String, lookup: &Lookup) {
        let Some(message) = lookup.response.as_ref().or(lookup.query.as_ref()) else { return };
        for answer in &message.answers {
            self.lead(out, '<');
            self.paint(out, CYAN, |out| push_printable(out, answer.name.as_bytes()));
            out.push_str(&format!(" {} {} ", answer.ttl, type_name(answer.rtype)));
            push_printable(out, answer.data.as_bytes());
            out.push('\n');
        }
    }
}

fn colour(lookup: &Lookup) -> &'static str {
    match (error_code(lookup), &lookup.response) {
        (Some(_), _) => YELLOW,
        (None, Some(_)) => GREEN,
        (None, None) if lookup.failure.is_some() => RED,
        (None, None) => DIM,
    }
}
