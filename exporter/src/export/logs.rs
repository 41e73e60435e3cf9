//! The `LogRecord` messages: one for each view of an exchange, one for each change of a
//! connection.
//!
//! The body is a line for people; whatever is to be searched stands in the attributes. Severity
//! has a number and no text, as the conventions ask.

use super::attributes::{ErrorType, Key, Value, error_code, error_type, handshake_error, table};
use super::key_values::{Attributes, put_key_value};
use super::line;
use super::protobuf::{field_size, put_bytes, put_fixed32, put_fixed64, put_len, put_uint};
use super::target::Target;
use crate::connection::{Change, CloseReason, Connection};
use crate::dns::{Failure, Lookup};
use crate::exchange::{Exchange, SpanContext, View};
use crate::flow::Timestamp;
use crate::tls::Handshake;

/// Fields of `LogRecord`.
const TIME_UNIX_NANO: u32 = 1;
const SEVERITY_NUMBER: u32 = 2;
const BODY: u32 = 5;
const ATTRIBUTES: u8 = 6;
const DROPPED_ATTRIBUTES_COUNT: u32 = 7;
const FLAGS: u32 = 8;
const TRACE_ID: u32 = 9;
const SPAN_ID: u32 = 10;
const OBSERVED_TIME_UNIX_NANO: u32 = 11;
const EVENT_NAME: u32 = 12;
/// A member of `AnyValue`.
const STRING_VALUE: u32 = 1;

/// Room for all but the attributes and the body.
const FIXED_BYTES: usize = 192;

/// Response codes of DNS (RFC 1035 section 4.1.1).
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;

/// `SeverityNumber`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Info = 9,
    Warn = 13,
    Error = 17,
}

/// What a log record holds besides attributes and trace identity.
struct Event<'a> {
    name: &'static str,
    severity: Severity,
    body: &'a str,
    at: Timestamp,
    observed: Timestamp,
}

/// The log record of an exchange in one view. `attributes` are those of the same view; `line` is
/// where its body is put together.
pub(super) fn exchange(
    exchange: &Exchange,
    view: &View,
    target: &Target<'_>,
    attributes: &Attributes<'_>,
    line: &mut String,
) -> Vec<u8> {
    line.clear();
    line::push_exchange(line, exchange, view, target);
    let event = Event {
        name: "headertap.http.exchange",
        severity: exchange_severity(exchange, view),
        body: line,
        at: exchange.start(),
        observed: exchange.observed,
    };
    let mut out = encode(&event, attributes);
    put_trace(&mut out, &view.span);
    out
}

/// The log record of a handshake in one view. `line` is where its body is put together.
pub(super) fn handshake(
    handshake: &Handshake,
    view: &View,
    attributes: &Attributes<'_>,
    line: &mut String,
) -> Vec<u8> {
    line.clear();
    line::push_handshake(line, handshake, view);
    let failed = handshake_error(handshake).is_some();
    let event = Event {
        name: "headertap.tls.handshake",
        severity: if failed { Severity::Warn } else { Severity::Info },
        body: line,
        at: handshake.start(),
        observed: handshake.observed,
    };
    encode(&event, attributes)
}

/// The log record of a lookup in one view.
pub(super) fn lookup(
    lookup: &Lookup,
    view: &View,
    attributes: &Attributes<'_>,
    line: &mut String,
) -> Vec<u8> {
    line.clear();
    line::push_lookup(line, lookup, view);
    let event = Event {
        name: "headertap.dns.lookup",
        severity: lookup_severity(lookup),
        body: line,
        at: lookup.start(),
        observed: lookup.observed,
    };
    encode(&event, attributes)
}

/// The log record of a change of a connection.
pub(super) fn connection(connection: &Connection, attributes: &Attributes<'_>) -> Vec<u8> {
    let (name, severity) = connection_kind(&connection.change);
    let event = Event {
        name,
        severity,
        body: &line::connection(connection),
        at: connection.at,
        observed: connection.observed,
    };
    encode(&event, attributes)
}

/// A server's failure is an error for everyone; a client's own (4xx), and a connection that broke,
/// are worth a look. What headertap did not see is nobody's failure.
fn exchange_severity(exchange: &Exchange, view: &View) -> Severity {
    match error_type(exchange, view.role) {
        Some(ErrorType::Status(500..)) => Severity::Error,
        Some(ErrorType::Grpc(status)) if status.is_servers() => Severity::Error,
        Some(ErrorType::Grpc(_) | ErrorType::Status(_) | ErrorType::Failure(_)) => Severity::Warn,
        None => Severity::Info,
    }
}

/// That a name does not exist is an answer like others; that a server fails is an error for
/// everyone who asks it.
fn lookup_severity(lookup: &Lookup) -> Severity {
    let has_failed = lookup.failure.and_then(Failure::error_type).is_some();
    match error_code(lookup) {
        Some(SERVFAIL) => Severity::Error,
        None | Some(NXDOMAIN) if !has_failed => Severity::Info,
        _ => Severity::Warn,
    }
}

fn connection_kind(change: &Change) -> (&'static str, Severity) {
    match change {
        Change::Open => ("headertap.connection.open", Severity::Info),
        Change::Failed(_) => ("headertap.connection.failed", Severity::Warn),
        Change::Close { reason, .. } => match reason {
            CloseReason::RstSent | CloseReason::RstReceived => {
                ("headertap.connection.close", Severity::Warn)
            }
            CloseReason::Fin | CloseReason::Unknown => {
                ("headertap.connection.close", Severity::Info)
            }
        },
    }
}

fn encode(event: &Event<'_>, attributes: &Attributes<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(attributes.size() + event.body.len() + FIXED_BYTES);
    put_fixed64(&mut out, TIME_UNIX_NANO, event.at.0);
    put_uint(&mut out, SEVERITY_NUMBER, event.severity as u64);
    put_len(&mut out, BODY, field_size(event.body.len()));
    put_bytes(&mut out, STRING_VALUE, event.body.as_bytes());
    put_key_value(
        &mut out,
        u32::from(ATTRIBUTES),
        Key::new(table::EVENT_NAME),
        Value::Str(event.name),
    );
    attributes.copy_to(&mut out, ATTRIBUTES);
    if attributes.dropped > 0 {
        put_uint(&mut out, DROPPED_ATTRIBUTES_COUNT, u64::from(attributes.dropped));
    }
    put_fixed64(&mut out, OBSERVED_TIME_UNIX_NANO, event.observed.0);
    put_bytes(&mut out, EVENT_NAME, event.name.as_bytes());
    out
}

/// Writes the identity that links the record to its span; an id that is all zero is none.
fn put_trace(out: &mut Vec<u8>, span: &SpanContext) {
    if span.trace_id == [0; 16] {
        return;
    }
    put_fixed32(out, FLAGS, u32::from(span.flags));
    put_bytes(out, TRACE_ID, &span.trace_id);
    if span.span_id != [0; 8] {
        put_bytes(out, SPAN_ID, &span.span_id);
    }
}
