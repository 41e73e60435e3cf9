//! One short line for people, of an exchange or a change of a connection: the body of a log record
//! and the stuff of the text output.
//!
//! It holds the request target as policy gave it and no header field, and never a control
//! character.

mod tls;

use std::fmt::Write;

use super::escape::push_printable;
use super::grpc::{Call, Status};
use super::number::{push_decimal, push_endpoint, push_ip};
use super::target::Target;
use crate::connection::{Change, Connection};
use crate::exchange::{Exchange, Failure, Role, View};
use crate::flow::Endpoint;
use crate::process::Process;

pub(crate) use tls::{push_choice, push_handshake, push_handshake_outcome, push_handshake_server};
mod lookup;

pub(crate) use lookup::{push_asked, push_lookup, push_result};

/// Most bytes of a request target in a line.
const MAX_TARGET_BYTES: usize = 256;

/// Why writing into a `String` is not checked further.
const NEVER_FAILS: &str = "a String takes everything";

/// `GET /api/items 200 12.3ms checkout[4242] -> shop.internal:8080`
pub(crate) fn push_exchange(
    line: &mut String,
    exchange: &Exchange,
    view: &View,
    target: &Target<'_>,
) {
    push_method(line, exchange);
    line.push(' ');
    push_target(line, exchange);
    line.push(' ');
    push_outcome(line, exchange);
    line.push(' ');
    push_duration(line, exchange.end().since(exchange.start()));
    line.push(' ');
    let end = if view.role == Role::Server { exchange.server } else { exchange.client };
    push_process(line, &view.process, end);
    line.push_str(arrow(view.role));
    if view.role == Role::Server {
        push_client(line, exchange, target);
    } else {
        push_server(line, target);
    }
}

/// `open checkout[4242] 10.0.0.5:51234 -> 10.1.0.9:443 tcp` and the like.
pub(crate) fn connection(connection: &Connection) -> String {
    let mut line = String::with_capacity(128);
    line.push_str(match connection.change {
        Change::Open => "open ",
        Change::Close { .. } => "close ",
        Change::Failed(_) => "failed ",
    });
    let (local, peer) = (connection.tuple.source, connection.tuple.destination);
    if is_known(&connection.process) {
        push_process(&mut line, &connection.process, local);
        line.push(' ');
    }
    write!(line, "{local}{}{peer}", arrow(connection.role)).expect(NEVER_FAILS);
    match connection.change {
        Change::Open => line.push_str(" tcp"),
        Change::Failed(reason) => write!(line, " {reason}").expect(NEVER_FAILS),
        Change::Close { reason, totals, duration_ns } => {
            if let Some(duration) = duration_ns {
                line.push(' ');
                push_duration(&mut line, duration);
            }
            line.push_str(" tx=");
            push_bytes(&mut line, totals.bytes_sent);
            line.push_str(" rx=");
            push_bytes(&mut line, totals.bytes_received);
            write!(line, " {} retrans={}", reason.as_str(), totals.retransmits).expect(NEVER_FAILS);
        }
    }
    line
}

/// Which way the request went, as the named process has it.
fn arrow(role: Role) -> &'static str {
    if role == Role::Server { " <- " } else { " -> " }
}

/// The method as written; `-` where it was not seen.
pub(crate) fn push_method(line: &mut String, exchange: &Exchange) {
    match &exchange.request {
        Some(request) if !request.method.is_empty() => push_printable(line, &request.method),
        _ => line.push('-'),
    }
}

/// The request target as policy gave it, shortened if it is long; `-` where it was not seen.
pub(crate) fn push_target(line: &mut String, exchange: &Exchange) {
    match exchange.request.as_ref().map(|request| request.target.as_slice()) {
        Some(target) if !target.is_empty() => match target.get(..MAX_TARGET_BYTES) {
            Some(start) if target.len() > MAX_TARGET_BYTES => {
                push_printable(line, start);
                line.push_str("...");
            }
            _ => push_printable(line, target),
        },
        _ => line.push('-'),
    }
}

/// The status code, that of a gRPC call, and why the response is not complete.
pub(crate) fn push_outcome(line: &mut String, exchange: &Exchange) {
    let start = line.len();
    if let Some(response) = exchange.response.as_ref().filter(|response| response.status != 0) {
        push_decimal(line, u64::from(response.status));
    }
    let status = Call::of(exchange).and_then(|call| call.status()).map(Status::name);
    let reason = exchange.failure.map(failure_word);
    for word in [status.as_deref(), reason].into_iter().flatten() {
        if line.len() > start {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.len() == start {
        line.push('-');
    }
}

fn failure_word(failure: Failure) -> &'static str {
    let word = failure.error_type().or_else(|| super::attributes::incomplete(failure));
    word.unwrap_or("incomplete")
}

/// `shop.internal:8080`, the server as the request names it.
pub(crate) fn push_server(line: &mut String, target: &Target<'_>) {
    let brackets = target.host.contains(':');
    line.push_str(if brackets { "[" } else { "" });
    push_printable(line, target.host.as_bytes());
    line.push_str(if brackets { "]:" } else { ":" });
    push_decimal(line, u64::from(target.port));
}

/// The client as a proxy named it, else the peer.
fn push_client(line: &mut String, exchange: &Exchange, target: &Target<'_>) {
    match target.forwarded_for {
        Some((address, _)) => push_ip(line, address),
        None => push_endpoint(line, exchange.client),
    }
}

/// `checkout[4242]`, or the endpoint of a process that is not known.
pub(crate) fn push_process(line: &mut String, process: &Process, end: Endpoint) {
    if is_known(process) {
        push_printable(line, process_name(process).as_bytes());
        line.push('[');
        push_decimal(line, u64::from(process.pid));
        line.push(']');
    } else {
        push_endpoint(line, end);
    }
}

fn is_known(process: &Process) -> bool {
    process.pid != 0
}

fn process_name(process: &Process) -> &str {
    let names = [&process.service_name, &process.executable_name];
    names.into_iter().find(|name| !name.is_empty()).map_or("?", String::as_str)
}

/// A duration with one decimal in the unit that suits it: `850ns`, `12.3ms`, `1.8s`.
pub(crate) fn push_duration(line: &mut String, ns: u64) {
    push_scaled(line, ns, ["ns", "us", "ms", "s"]);
}

/// A number of bytes with one decimal in the unit that suits it; 1 KB is 1000 bytes.
fn push_bytes(line: &mut String, bytes: u64) {
    push_scaled(line, bytes, ["B", "KB", "MB", "GB"]);
}

/// `value` in the largest unit, each 1000 of the one before, that leaves something before the
/// point. Cut, not rounded, so that no unit shows 1000.0.
fn push_scaled(line: &mut String, value: u64, units: [&str; 4]) {
    let [one, thousand, million, billion] = units;
    let (unit, name) = match value {
        0..1_000 => {
            push_decimal(line, value);
            return line.push_str(one);
        }
        1_000..1_000_000 => (1_000, thousand),
        1_000_000..1_000_000_000 => (1_000_000, million),
        _ => (1_000_000_000, billion),
    };
    let tenths = value / (unit / 10);
    push_decimal(line, tenths / 10);
    line.push('.');
    push_decimal(line, tenths % 10);
    line.push_str(name);
}

#[cfg(test)]
mod tests {
    use super::{push_bytes, push_duration};

    #[test]
    fn a_duration_is_told_in_the_unit_that_suits_it() {
        let cases = [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1.0us"),
            (12_345_678, "12.3ms"),
            (999_999_999, "999.9ms"),
            (1_850_000_000, "1.8s"),
            (200_000_000_000, "200.0s"),
        ];
        for (ns, expected) in cases {
            let mut line = String::new();
            push_duration(&mut line, ns);
            assert_eq!(line, expected, "{ns} ns");
        }
    }

    #[test]
    fn a_number_of_bytes_is_told_in_the_unit_that_suits_it() {
        let mut line = String::new();
        for bytes in [512, 94_321, 5_000_000, 3_200_000_000] {
            push_bytes(&mut line, bytes);
            line.push(' ');
        }
        assert_eq!(line, "512B 94.3KB 5.0MB 3.2GB ");
    }
}
