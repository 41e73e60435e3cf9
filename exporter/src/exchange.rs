//! An exchange: one request and the response that answered it, and who took part.
//!
//! What `correlate` gives, `policy` thins out and `export` encodes. Owns no logic beyond plain
//! questions about itself.

use std::sync::Arc;

use crate::flow::{Endpoint, Timestamp};
use crate::http::{ErrorCode, MessageEnd, Request, Response};
use crate::process::Process;

/// Why an exchange has no complete response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The connection was reset (RFC 9293 section 3.5.2) before the response was complete.
    ConnectionReset,
    /// The connection was closed before the response was complete.
    ConnectionClosed,
    /// headertap stopped, or forgot the flow, before the response was complete.
    Unfinished,
    /// Bytes that belong to the rest of the exchange were not captured.
    Gap,
    /// What came in place of a response was none that the protocol knows.
    ProtocolError,
    /// One side ended the stream (RFC 9113 section 6.4) before the response was complete.
    StreamReset(ErrorCode),
    /// One side left the connection without seeing to the request (RFC 9113 section 6.8).
    GoAway(ErrorCode),
}

impl Failure {
    /// The value of `error.type`; `None` where the traffic itself may have been fine.
    #[must_use]
    pub fn error_type(self) -> Option<&'static str> {
        match self {
            Self::ConnectionReset => Some("connection_reset"),
            Self::ConnectionClosed => Some("connection_closed"),
            Self::ProtocolError => Some("protocol_error"),
            Self::StreamReset(_) => Some("stream_reset"),
            Self::GoAway(_) => Some("goaway"),
            Self::Unfinished | Self::Gap => None,
        }
    }

    /// The code that HTTP/2 gave for it.
    #[must_use]
    pub fn error_code(self) -> Option<ErrorCode> {
        match self {
            Self::StreamReset(code) | Self::GoAway(code) => Some(code),
            _ => None,
        }
    }
}

/// Which side of the exchange a view is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The initiator's socket is on this host.
    Client,
    /// The acceptor's socket is on this host.
    Server,
    /// Neither socket was found on this host: forwarded traffic, or a capture file.
    Observer,
}

impl Role {
    /// The value of `headertap.connection.role`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Observer => "unknown",
        }
    }
}

/// Another trace's span that a span points to without being its child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanLink {
    /// The other trace.
    pub trace_id: [u8; 16],
    /// The span in it.
    pub span_id: [u8; 8],
}

/// The trace identity of a view (W3C Trace Context level 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanContext {
    /// `trace_id` of the log record and the span; all zero where there is none.
    pub trace_id: [u8; 16],
    /// `span_id` of our span, or of the header where `has_span` is false; all zero: none.
    pub span_id: [u8; 8],
    /// The parent span's id; all zero for a root.
    pub parent_span_id: [u8; 8],
    /// The parent came in a header, so it is another process's span.
    pub remote_parent: bool,
    /// The W3C trace flags; bit 0 is *sampled*.
    pub flags: u8,
    /// Whether a span is to be emitted: false where the process's own SDK makes it, where the
    /// header says unsampled, and for observers.
    pub has_span: bool,
    /// The span that a header named and that was not taken for a parent, because too many
    /// exchanges had named it, or for too long.
    pub link: Option<SpanLink>,
}

/// The exchange as one end on this host took part in it: one log record, and one span.
#[derive(Debug, Clone)]
pub struct View {
    /// Which end this is.
    pub role: Role,
    /// Whose socket it is.
    pub process: Arc<Process>,
    /// The trace identity.
    pub span: SpanContext,
    /// The socket's cookie (`bpf_get_socket_cookie`), 0 where unknown.
    pub socket_cookie: u64,
    /// Inode of the socket's network namespace, 0 where unknown.
    pub netns_inode: u32,
    /// The connection's id as this end has it, see [`crate::connection::Connection::id`], or as an
    /// observer has; 0 where there is none.
    pub connection_id: u64,
}

impl View {
    /// The view of whoever has no end of it; `process` stands for nobody's.
    #[must_use]
    pub fn of_observer(process: Arc<Process>, span: SpanContext, connection_id: u64) -> Self {
        Self {
            role: Role::Observer,
            process,
            span,
            socket_cookie: 0,
            netns_inode: 0,
            connection_id,
        }
    }
}

/// Header fields that policy or a cap took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// From the request.
    pub request: u32,
    /// From the response.
    pub response: u32,
}

/// One request and its response.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The initiator's endpoint.
    pub client: Endpoint,
    /// The acceptor's endpoint.
    pub server: Endpoint,
    /// The exchange's number in its connection, from 0, counted from where headertap joined.
    pub index: u64,
    /// The stream identifier (RFC 9113 section 5.1.1); `None` for HTTP/1.
    pub stream_id: Option<u32>,
    /// The request; `None` where only the response was captured.
    pub request: Option<Request>,
    /// How the request ended; `None` where its end was not seen.
    pub request_end: Option<MessageEnd>,
    /// The final response; `None` where it was not captured.
    pub response: Option<Response>,
    /// How the response ended; `None` where its end was not seen.
    pub response_end: Option<MessageEnd>,
    /// Interim responses (1xx) before the final one.
    pub interim: Vec<Response>,
    /// Why the response is not complete.
    pub failure: Option<Failure>,
    /// More than one traceparent field: the trace context is not to be trusted.
    pub duplicate_traceparent: bool,
    /// headertap joined the connection in mid-stream.
    pub truncated_start: bool,
    /// When user space read the event that completed the exchange.
    pub observed: Timestamp,
    /// Fields that policy or a cap took away.
    pub dropped: Dropped,
    /// One view for each end on this host, or a single observer.
    pub views: Vec<View>,
}

impl Exchange {
    /// When the exchange began: the first byte of its request, else of its response, else its end.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        let request = self.request.as_ref().map(|r| r.timing.first_byte);
        let first_answer = self.interim.first().or(self.response.as_ref());
        let response = first_answer.map(|response| response.timing.first_byte);
        let ends = self.request_end.as_ref().or(self.response_end.as_ref());
        request.or(response).or(ends.map(|end| end.at)).unwrap_or(self.observed)
    }

    /// When the exchange ended: the last thing seen of it.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        [
            self.request.as_ref().map(|r| r.timing.complete),
            self.request_end.as_ref().map(|end| end.at),
            self.interim.last().map(|r| r.timing.complete),
            self.response.as_ref().map(|r| r.timing.complete),
            self.response_end.as_ref().map(|end| end.at),
        ]
        .into_iter()
        .flatten()
        .max()
        .unwrap_or(self.observed)
    }
}
