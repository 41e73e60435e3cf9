//! Trace identity of an exchange's views: ids, parents, and whose span it is (W3C Trace Context).
//!
//! Ids are derived, never drawn: both ends on a host agree without talking, and a record that is
//! sent twice is the same record. What is decided once for an exchange, when its request is seen,
//! is its [`Trace`]; each view's [`SpanContext`] follows from it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::exchange::{SpanContext, SpanLink};
use crate::flow::{Endpoint, Timestamp};
use crate::http::Request;
use crate::process::Process;
use crate::trace_context::{Found, TraceParent, derive_span_id, derive_trace_id, from_fields};

const CLIENT_TAG: u8 = b'c';
const SERVER_TAG: u8 = b's';
const SAMPLED: u8 = 1;
/// Inbound exchanges that are remembered as parents of outbound ones.
const INBOUND_MAX: usize = 8192;
/// Headers that are remembered as adopted.
const ADOPTED_MAX: usize = 8192;
/// So many exchanges may have the same header for a parent: a header that is copied without end
/// would make one trace of everything.
const ADOPTIONS_MAX: u32 = 64;
/// For so long after it was first adopted.
const ADOPTION_MAX_NS: u64 = 300 * 1_000_000_000;

/// Where an exchange stands: what its ids are derived from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    /// When the connection began, as far as headertap knows.
    pub(super) start: Timestamp,
    pub(super) index: u64,
}

/// The processes at an exchange's ends, where they are on this host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) client: Option<&'a Process>,
    pub(super) server: Option<&'a Process>,
}

impl Ends<'_> {
    /// Whether a span of ours may be the header's child.
    fn adopt(&self) -> bool {
        [self.client, self.server].into_iter().flatten().any(|process| !process.instrumented)
    }
}

/// The trace context of an exchange: from its header, or begun here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trace {
    trace_id: [u8; 16],
    header: Option<TraceParent>,
    pub(super) duplicate: bool,
    /// The server span of the exchange that this one was sent on from.
    forwarded_from: Option<[u8; 8]>,
    /// The server's own span, where what is sent on from it is its child.
    inbound: Option<[u8; 8]>,
    /// The header was adopted too often or for too long: the trace is a new one.
    refused: bool,
}

impl Trace {
    /// The header's span as what ours descend from.
    fn adopted(&self) -> Option<&TraceParent> {
        self.header.as_ref().filter(|_| !self.refused)
    }

    fn parent_id(&self) -> [u8; 8] {
        self.adopted().map_or([0; 8], |header| header.parent_id)
    }

    fn is_sampled(&self) -> bool {
        self.header.is_none_or(|header| header.flags & SAMPLED != 0)
    }

    fn link(&self) -> Option<SpanLink> {
        let header = self.header.filter(|_| self.refused)?;
        Some(SpanLink { trace_id: header.trace_id, span_id: header.parent_id })
    }
}

/// The ids of a header.
type Ids = ([u8; 16], [u8; 8]);

/// A server span that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Inbound {
    trace_id: [u8; 16],
    span_id: [u8; 8],
}

#[derive(Debug, Clone, Copy)]
struct Adopted {
    first: Timestamp,
    times: u32,
}

/// A map that forgets what was added first when it is full.
#[derive(Debug)]
struct Bounded<K, V> {
    /// With the number of the insertion.
    entries: HashMap<K, (u64, V)>,
    order: VecDeque<(u64, K)>,
    inserted: u64,
    max: usize,
}

impl<K: Hash + Eq + Copy, V> Bounded<K, V> {
    fn new(max: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), inserted: 0, max }
    }

    fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }

    fn insert(&mut self, key: K, value: V) {
        self.inserted += 1;
        self.entries.insert(key, (self.inserted, value));
        self.order.push_back((self.inserted, key));
        // What was removed or replaced has left its place in the order behind.
        let lives = |(number, key): &(u64, K)| {
            self.entries.get(key).is_some_and(|(newest, _)| newest == number)
        };
        if self.order.len() > 2 * self.max {
            self.order.retain(lives);
        }
        while self.entries.len() > self.max
            && let Some((number, oldest)) = self.order.pop_front()
        {
            if self.entries.get(&oldest).is_some_and(|(newest, _)| *newest == number) {
                self.entries.remove(&oldest);
            }
        }
    }
}

/// Derives the trace identity of views.
#[derive(Debug)]
pub(super) struct Tracer {
    seed: [u8; 16],
    /// Server spans by the process that serves and the header it was sent.
    inbound: Bounded<(u32, Ids), Inbound>,
    adopted: Bounded<Ids, Adopted>,
}

impl Tracer {
    pub(super) fn new(seed: [u8; 16]) -> Self {
        Self { seed, inbound: Bounded::new(INBOUND_MAX), adopted: Bounded::new(ADOPTED_MAX) }
    }

    /// The trace context that a request carries, or a new one. To be called once an exchange, when
    /// the request is seen: what its server sends on with the same header from now on is a child
    /// of its span.
    pub(super) fn trace(
        &mut self,
        request: Option<&Request>,
        place: &Place,
        ends: Ends<'_>,
    ) -> Trace {
        let found = request.map_or(Found::None, |request| from_fields(&request.fields));
        let duplicate = found == Found::Duplicate;
        let Found::One(header) = found else {
            let trace_id = self.begin(place);
            return Trace {
                trace_id,
                header: None,
                duplicate,
                forwarded_from: None,
                inbound: None,
                refused: false,
            };
        };
        let at = request.map_or(place.start, |request| request.timing.first_byte);
        let mut trace = self.of_header(header, at, place, ends);
        trace.inbound = self.remember_inbound(&trace, &header, place, ends.server);
        trace
    }

    fn of_header(
        &mut self,
        header: TraceParent,
        at: Timestamp,
        place: &Place,
        ends: Ends<'_>,
    ) -> Trace {
        let ids = (header.trace_id, header.parent_id);
        let from = ends.client.and_then(|client| self.inbound_of(client, ids));
        let sampled = header.flags & SAMPLED != 0;
        let refused = from.is_none() && sampled && ends.adopt() && !self.may_adopt(ids, at);
        let trace_id = match from {
            Some(inbound) => inbound.trace_id,
            None if refused => self.begin(place),
            None => header.trace_id,
        };
        Trace {
            trace_id,
            header: Some(header),
            duplicate: false,
            forwarded_from: from.map(|inbound| inbound.span_id),
            inbound: None,
            refused,
        }
    }

    fn begin(&self, place: &Place) -> [u8; 16] {
        derive_trace_id(&self.seed, &place.client, &place.server, place.start, place.index)
    }

    /// Counts the exchange among those that have this header for a parent, if it may.
    fn may_adopt(&mut self, ids: Ids, at: Timestamp) -> bool {
        match self.adopted.get_mut(&ids) {
            Some(adopted) => {
                adopted.times = adopted.times.saturating_add(1);
                adopted.times <= ADOPTIONS_MAX && at.since(adopted.first) <= ADOPTION_MAX_NS
            }
            None => {
                self.adopted.insert(ids, Adopted { first: at, times: 1 });
                true
            }
        }
    }

    /// The server span of the request that `client` sends on: its own, or of the process that
    /// made its listener.
    fn inbound_of(&self, client: &Process, ids: Ids) -> Option<Inbound> {
        if client.instrumented {
            return None;
        }
        let pids = [client.pid, client.parent_pid];
        pids.iter().filter(|pid| **pid != 0).find_map(|pid| self.inbound.get(&(*pid, ids)).copied())
    }

    fn remember_inbound(
        &mut self,
        trace: &Trace,
        header: &TraceParent,
        place: &Place,
        server: Option<&Process>,
    ) -> Option<[u8; 8]> {
        let server = server.filter(|server| server.pid != 0 && !server.instrumented)?;
        if !trace.is_sampled() {
            return None;
        }
        let key = (server.pid, (header.trace_id, header.parent_id));
        let span_id = span_id(SERVER_TAG, trace, place);
        self.inbound.insert(key, Inbound { trace_id: trace.trace_id, span_id });
        Some(span_id)
    }

    /// The exchange is over: what is sent from now on was not sent on from it.
    pub(super) fn close(&mut self, trace: &Trace, server: Option<&Process>) {
        let (Some(header), Some(own), Some(server)) = (trace.header, trace.inbound, server) else {
            return;
        };
        let key = (server.pid, (header.trace_id, header.parent_id));
        if self.inbound.get(&key).is_some_and(|inbound| inbound.span_id == own) {
            self.inbound.remove(&key);
        }
    }

    /// The identity of the client's view.
    pub(super) fn client(trace: &Trace, place: &Place, client: &Process) -> SpanContext {
        if client.instrumented || !trace.is_sampled() {
            return of_others(trace);
        }
        SpanContext {
            span_id: span_id(CLIENT_TAG, trace, place),
            parent_span_id: trace.forwarded_from.unwrap_or(trace.parent_id()),
            link: trace.link(),
            ..of_ours(trace)
        }
    }

    /// The identity of the server's view; `client` is the client's, where it is on this host.
    pub(super) fn server(
        trace: &Trace,
        place: &Place,
        server: &Process,
        client: Option<&SpanContext>,
    ) -> SpanContext {
        if server.instrumented || !trace.is_sampled() {
            return of_others(trace);
        }
        let local = client.filter(|client| client.has_span);
        SpanContext {
            span_id: trace.inbound.unwrap_or_else(|| span_id(SERVER_TAG, trace, place)),
            parent_span_id: local.map_or(trace.parent_id(), |client| client.span_id),
            remote_parent: local.is_none() && trace.adopted().is_some(),
            link: trace.link().filter(|_| local.is_none()),
            ..of_ours(trace)
        }
    }

    /// What an observer's log record says: the header's context, if there is one.
    pub(super) fn observer(trace: &Trace) -> SpanContext {
        of_others(trace)
    }
}

fn span_id(role: u8, trace: &Trace, place: &Place) -> [u8; 8] {
    let parent = trace.parent_id();
    derive_span_id(role, &trace.trace_id, &parent, &place.client, &place.server, place.index)
}

/// The span is ours.
fn of_ours(trace: &Trace) -> SpanContext {
    SpanContext {
        trace_id: trace.trace_id,
        flags: trace.adopted().map_or(SAMPLED, |header| header.flags),
        has_span: true,
        ..SpanContext::default()
    }
}

/// The span is another's: the process's own SDK made the header's, or nobody will make one.
fn of_others(trace: &Trace) -> SpanContext {
    trace.header.map_or_else(SpanContext::default, |header| SpanContext {
        trace_id: header.trace_id,
        span_id: header.parent_id,
        flags: header.flags,
        ..SpanContext::default()
    })
}

#[cfg(test)]
mod tests;
