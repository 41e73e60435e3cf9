//! Trace identity of an exchange's views: ids, parents, and whose span it is (W3C Trace Context).
//!
//! Ids are derived, never drawn: both ends on a host agree without talking, and a record that is
//! sent twice is the same record.

use std::collections::{HashMap, VecDeque};

use crate::exchange::SpanContext;
use crate::flow::{Endpoint, Timestamp};
use crate::http::Request;
use crate::process::Process;
use crate::trace_context::{Found, TraceParent, derive_span_id, derive_trace_id, from_fields};

const CLIENT_TAG: u8 = b'c';
const SERVER_TAG: u8 = b's';
const SAMPLED: u8 = 1;
/// Inbound exchanges that are remembered as parents of outbound ones.
const INBOUND_MAX: usize = 8192;

/// Where an exchange stands: what its ids are derived from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    /// When the connection began, as far as headertap knows.
    pub(super) start: Timestamp,
    pub(super) index: u64,
}

/// Derives the trace identity of views.
#[derive(Debug)]
pub(super) struct Tracer {
    seed: [u8; 16],
    /// Server spans by the process that serves and the header it was sent.
    inbound: HashMap<InboundKey, [u8; 8]>,
    inbound_order: VecDeque<InboundKey>,
}

type InboundKey = (u32, [u8; 16], [u8; 8]);

/// The trace context of an exchange: from its header, or begun here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trace {
    trace_id: [u8; 16],
    header: Option<TraceParent>,
    pub(super) duplicate: bool,
}

impl Trace {
    fn parent_id(&self) -> [u8; 8] {
        self.header.map_or([0; 8], |header| header.parent_id)
    }

    fn is_sampled(&self) -> bool {
        self.header.is_none_or(|header| header.flags & SAMPLED != 0)
    }

    fn flags(&self) -> u8 {
        self.header.map_or(SAMPLED, |header| header.flags)
    }
}

impl Tracer {
    pub(super) fn new(seed: [u8; 16]) -> Self {
        Self { seed, inbound: HashMap::new(), inbound_order: VecDeque::new() }
    }

    /// The trace context that a request carries, or a new one.
    pub(super) fn trace(&self, request: Option<&Request>, place: &Place) -> Trace {
        let found = request.map_or(Found::None, |request| from_fields(&request.fields));
        let header = match found {
            Found::One(header) => Some(header),
            Found::None | Found::Duplicate | Found::Invalid => None,
        };
        let begun =
            || derive_trace_id(&self.seed, &place.client, &place.server, place.start, place.index);
        Trace {
            trace_id: header.map_or_else(begun, |header| header.trace_id),
            header,
            duplicate: found == Found::Duplicate,
        }
    }

    /// Remembers a request that a process of this host was sent: what it sends on with the same
    /// header is a child of the server span.
    pub(super) fn inbound(&mut self, trace: &Trace, place: &Place, server: &Process) {
        let Some(header) = trace.header else { return };
        let key = (server.pid, header.trace_id, header.parent_id);
        if self.inbound.insert(key, span_id(SERVER_TAG, trace, place)).is_none() {
            self.inbound_order.push_back(key);
        }
        if self.inbound_order.len() > INBOUND_MAX
            && let Some(oldest) = self.inbound_order.pop_front()
        {
            self.inbound.remove(&oldest);
        }
    }

    /// The identity of the client's view.
    pub(super) fn client(&self, trace: &Trace, place: &Place, client: &Process) -> SpanContext {
        let Some(header) = trace.header else {
            let root = SpanContext { flags: SAMPLED, has_span: true, ..context(trace) };
            return if client.instrumented {
                SpanContext::default()
            } else {
                SpanContext { span_id: span_id(CLIENT_TAG, trace, place), ..root }
            };
        };
        if client.instrumented || !trace.is_sampled() {
            return of_header(trace, &header);
        }
        let own = [client.pid, client.parent_pid]
            .into_iter()
            .find_map(|pid| self.inbound.get(&(pid, header.trace_id, header.parent_id)));
        SpanContext {
            span_id: span_id(CLIENT_TAG, trace, place),
            parent_span_id: own.copied().unwrap_or(header.parent_id),
            remote_parent: false,
            has_span: true,
            ..context(trace)
        }
    }

    /// The identity of the server's view; `client` is the client's, where it is on this host.
    pub(super) fn server(
        &self,
        trace: &Trace,
        place: &Place,
        server: &Process,
        client: Option<&SpanContext>,
    ) -> SpanContext {
        if server.instrumented || !trace.is_sampled() {
            return trace.header.map_or_else(SpanContext::default, |h| of_header(trace, &h));
        }
        let local = client.filter(|client| client.has_span);
        SpanContext {
            span_id: span_id(SERVER_TAG, trace, place),
            parent_span_id: local.map_or(trace.parent_id(), |client| client.span_id),
            remote_parent: local.is_none() && trace.header.is_some(),
            has_span: true,
            ..context(trace)
        }
    }

    /// What an observer's log record says: the header's context, if there is one.
    pub(super) fn observer(trace: &Trace) -> SpanContext {
        trace.header.map_or_else(SpanContext::default, |header| of_header(trace, &header))
    }
}

fn span_id(role: u8, trace: &Trace, place: &Place) -> [u8; 8] {
    let parent = trace.parent_id();
    derive_span_id(role, &trace.trace_id, &parent, &place.client, &place.server, place.index)
}

fn context(trace: &Trace) -> SpanContext {
    SpanContext { trace_id: trace.trace_id, flags: trace.flags(), ..SpanContext::default() }
}

/// The span is another's: the process's own SDK made it, or nobody will.
fn of_header(trace: &Trace, header: &TraceParent) -> SpanContext {
    SpanContext { span_id: header.parent_id, has_span: false, ..context(trace) }
}
