//! The `Span` message of an exchange in the view of one end.
//!
//! It ends with the response, for the client when the last byte seen of it came and for the server
//! when it went. Success leaves the status unset.

use std::borrow::Cow;

use super::attributes::{ErrorType, error_type, known_method};
use super::escape::utf8;
use super::grpc::Call;
use super::key_values::Attributes;
use super::number::put_hex;
use super::protobuf::{field_size, put_bytes, put_fixed32, put_fixed64, put_len, put_uint};
use crate::exchange::{Exchange, Role, SpanContext, SpanLink, View};
use crate::flow::Timestamp;

/// Fields of `Span`.
const TRACE_ID: u32 = 1;
const SPAN_ID: u32 = 2;
const TRACE_STATE: u32 = 3;
const PARENT_SPAN_ID: u32 = 4;
const NAME: u32 = 5;
const KIND: u32 = 6;
const START_TIME_UNIX_NANO: u32 = 7;
const END_TIME_UNIX_NANO: u32 = 8;
const ATTRIBUTES: u8 = 9;
const DROPPED_ATTRIBUTES_COUNT: u32 = 10;
const LINKS: u32 = 13;
const STATUS: u32 = 15;
const FLAGS: u32 = 16;

/// `SpanKind`.
const SERVER: u64 = 2;
const CLIENT: u64 = 3;

/// Fields of `Status`, and the code for an error.
const MESSAGE: u32 = 2;
const CODE: u32 = 3;
const ERROR: u64 = 2;

/// Fields of `Link`.
const LINK_TRACE_ID: u32 = 1;
const LINK_SPAN_ID: u32 = 2;

/// `SpanFlags`: whether the parent is another process's is known, and it is.
const CONTEXT_HAS_IS_REMOTE: u32 = 0x100;
const CONTEXT_IS_REMOTE: u32 = 0x200;

/// Room for all but the attributes.
const FIXED_BYTES: usize = 192;

/// The span of an exchange in one view. `attributes` are those of the same view.
pub(super) fn exchange(exchange: &Exchange, view: &View, attributes: &Attributes<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(attributes.size() + FIXED_BYTES);
    let span = &view.span;
    put_bytes(&mut out, TRACE_ID, &span.trace_id);
    put_bytes(&mut out, SPAN_ID, &span.span_id);
    if let Some(state) = trace_state(exchange, span) {
        put_bytes(&mut out, TRACE_STATE, state.as_bytes());
    }
    if span.parent_span_id != [0; 8] {
        put_bytes(&mut out, PARENT_SPAN_ID, &span.parent_span_id);
    }
    put_bytes(&mut out, NAME, name(exchange).as_bytes());
    put_uint(&mut out, KIND, if view.role == Role::Server { SERVER } else { CLIENT });
    put_fixed64(&mut out, START_TIME_UNIX_NANO, exchange.start().0);
    put_fixed64(&mut out, END_TIME_UNIX_NANO, end(exchange).0);
    attributes.copy_to(&mut out, ATTRIBUTES);
    if attributes.dropped > 0 {
        put_uint(&mut out, DROPPED_ATTRIBUTES_COUNT, u64::from(attributes.dropped));
    }
    if let Some(link) = &span.link {
        put_link(&mut out, link);
    }
    put_status(&mut out, error_type(exchange, view.role));
    put_fixed32(&mut out, FLAGS, flags(span));
    out
}

/// The method of a gRPC call; else that of HTTP, and nothing of the path, which has no bound on its
/// values.
fn name(exchange: &Exchange) -> Cow<'_, str> {
    if let Some(call) = Call::of(exchange) {
        return call.method().unwrap_or(Cow::Borrowed("grpc"));
    }
    let method = exchange.request.as_ref().and_then(|request| known_method(&request.method));
    Cow::Borrowed(method.unwrap_or("HTTP"))
}

/// The last byte seen of the response, even if the request went on; without a response, the last
/// thing seen.
fn end(exchange: &Exchange) -> Timestamp {
    let head = exchange.response.as_ref().map(|response| response.timing.complete);
    let whole = exchange.response_end.as_ref().map(|end| end.at);
    whole.or(head).unwrap_or_else(|| exchange.end()).max(exchange.start())
}

fn flags(span: &SpanContext) -> u32 {
    let remote = if span.remote_parent { CONTEXT_IS_REMOTE } else { 0 };
    u32::from(span.flags) | CONTEXT_HAS_IS_REMOTE | remote
}

fn put_link(out: &mut Vec<u8>, link: &SpanLink) {
    put_len(out, LINKS, field_size(link.trace_id.len()) + field_size(link.span_id.len()));
    put_bytes(out, LINK_TRACE_ID, &link.trace_id);
    put_bytes(out, LINK_SPAN_ID, &link.span_id);
}

/// A code, and a description only where no status code explains it.
fn put_status(out: &mut Vec<u8>, error: Option<ErrorType>) {
    let message = match error {
        None => return,
        Some(ErrorType::Grpc(_) | ErrorType::Status(_)) => "",
        Some(ErrorType::Failure(_)) => "the connection ended before the response was complete",
    };
    let size = if message.is_empty() { 0 } else { field_size(message.len()) };
    put_len(out, STATUS, size + 2);
    if !message.is_empty() {
        put_bytes(out, MESSAGE, message.as_bytes());
    }
    put_uint(out, CODE, ERROR);
}

/// The request's `tracestate`, several field lines as one list, if the span is in the trace of the
/// request's `traceparent`: without that it is not valid (W3C Trace Context section 3.3).
fn trace_state(exchange: &Exchange, span: &SpanContext) -> Option<String> {
    let fields = &exchange.request.as_ref()?.fields;
    let traceparent = fields.first("traceparent")?;
    if exchange.duplicate_traceparent || !names_trace(traceparent, &span.trace_id) {
        return None;
    }
    let mut state = String::new();
    for (index, line) in fields.all("tracestate").enumerate() {
        state.push_str(if index > 0 { "," } else { "" });
        state.push_str(&utf8(line));
    }
    Some(state).filter(|state| !state.is_empty())
}

/// Whether the second member of a traceparent, 32 digits after the two of the version and a dash,
/// is this trace id.
fn names_trace(traceparent: &[u8], trace_id: &[u8; 16]) -> bool {
    let Some(digits) = traceparent.trim_ascii().get(3..35) else { return false };
    let mut expected = [0; 32];
    put_hex(&mut expected, trace_id);
    digits.eq_ignore_ascii_case(&expected)
}
