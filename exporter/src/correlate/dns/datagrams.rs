//! DNS over datagrams: which are DNS, which were seen before, and what answers what.
//!
//! On the ports of DNS, multicast DNS and LLMNR everything is taken for a message, and what is none
//! is counted; on others only what is one beyond doubt, or what a query waits for.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use crate::dns::{Failure, Flags, Lookup, Message, Protocol, Transport};
use crate::event::Datagram;
use crate::exchange::{self, Role, SpanContext, View};
use crate::flow::{Endpoint, Timestamp, Tuple};
use crate::parse::dns::{Source, Unreadable, message, strict_message};
use crate::process::Process;
use crate::stats::{Cause, Outcome, Unit};

use super::super::{Found, Scope};
use super::is_answered;
use super::pairs::{Pairs, Query};

/// After this long without a response, resolvers have asked again or given up.
const WAIT_MAX_NS: u64 = 5 * 1_000_000_000;
/// Queries that may wait at the same time.
const QUERIES_MAX: usize = 64 * 1024;
/// What they may take of memory.
const QUERIES_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Datagrams that are remembered, so that they are not told again.
const SIGHTINGS_MAX: usize = 4096;
/// A datagram that was seen somewhere else longer ago is another one.
const SIGHTING_MAX_NS: u64 = 1_000_000_000;
/// NetBIOS names (RFC 1002 section 4.2) are sent in what looks like DNS, and are none.
const NETBIOS_PORT: u16 = 137;

/// What a query and its response have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    client: Endpoint,
    server: Endpoint,
    id: u16,
}

/// A socket of this host.
#[derive(Debug)]
struct Sender {
    process: Arc<Process>,
    socket_cookie: u64,
}

/// All datagrams of the host.
#[derive(Debug)]
pub(in super::super) struct Datagrams {
    queries: Pairs<Key, Asker>,
    sightings: Sightings,
    own_pid: u32,
}

#[derive(Debug)]
struct Asker {
    protocol: Protocol,
    sender: Option<Sender>,
}

impl Datagrams {
    pub(in super::super) fn new(own_pid: u32) -> Self {
        Self {
            queries: Pairs::new(QUERIES_MAX, QUERIES_MAX_BYTES),
            sightings: Sightings::default(),
            own_pid,
        }
    }

    /// Takes a datagram; `process` owns the socket that sent it.
    pub(in super::super) fn datagram(
        &mut self,
        datagram: &Datagram<'_>,
        process: Option<Arc<Process>>,
        scope: &mut Scope<'_>,
    ) {
        self.expire(datagram.at, scope);
        if self.sightings.has_seen(datagram) {
            return;
        }
        let protocol = protocol_of(datagram)
            .or_else(|| self.is_awaited(datagram).then_some(Protocol::default()));
        let read = match protocol {
            Some(protocol) => read(datagram, protocol),
            None => Ok(read_strictly(datagram)),
        };
        let sender =
            process.map(|process| Sender { process, socket_cookie: datagram.socket_cookie });
        match read {
            Ok(Some(message)) => {
                let message = Message { at: datagram.at, ..message };
                self.message(message, protocol.unwrap_or_default(), datagram.tuple, sender, scope);
            }
            Ok(None) => {}
            Err(cause) => {
                scope.shared.account.seen(Unit::Dns, 1);
                scope.shared.account.settle(Unit::Dns, Outcome::Lost(cause), 1);
            }
        }
    }

    /// Whether a query waits for a response with these ends and this id.
    fn is_awaited(&self, datagram: &Datagram<'_>) -> bool {
        let Tuple { source, destination } = datagram.tuple;
        let id = datagram.payload.first_chunk().copied().map(u16::from_be_bytes);
        let key = id.map(|id| Key { client: destination, server: source, id });
        is_response(datagram) && key.is_some_and(|key| self.queries.is_waiting(&key))
    }

    fn message(
        &mut self,
        message: Message,
        protocol: Protocol,
        tuple: Tuple,
        sender: Option<Sender>,
        scope: &mut Scope<'_>,
    ) {
        if message.flags.is_response() {
            self.response(message, protocol, tuple, sender, scope);
        } else {
            self.query(message, protocol, tuple, sender, scope);
        }
    }

    fn query(
        &mut self,
        message: Message,
        protocol: Protocol,
        tuple: Tuple,
        sender: Option<Sender>,
        scope: &mut Scope<'_>,
    ) {
        let key = Key { client: tuple.source, server: tuple.destination, id: message.id };
        if !waits(&message, protocol, &key) {
            let query = Query { key, message, by: Asker { protocol, sender }, is_repeated: false };
            return self.give_query(query, None, scope);
        }
        let unfinished = Some(Failure::Connection(exchange::Failure::Unfinished));
        if let Some(query) = self.queries.make_room(&key) {
            self.give_query(query, unfinished, scope);
        }
        self.queries.ask(key, message, Asker { protocol, sender });
        while let Some(query) = self.queries.over_limits() {
            self.give_query(query, unfinished, scope);
        }
    }

    fn response(
        &mut self,
        message: Message,
        protocol: Protocol,
        tuple: Tuple,
        sender: Option<Sender>,
        scope: &mut Scope<'_>,
    ) {
        let key = Key { client: tuple.destination, server: tuple.source, id: message.id };
        let query = self.queries.answer(key, &message);
        let (query, by) = query.map_or((None, None), |query| (Some(query.message), Some(query.by)));
        let protocol = by.as_ref().map_or(protocol, |by| by.protocol);
        let asker = by.and_then(|by| by.sender);
        let lookup = lookup(key, protocol, query, Some(message), [asker, sender], scope);
        self.give(lookup, scope);
    }

    /// Gives the queries that have waited for too long.
    pub(in super::super) fn expire(&mut self, now: Timestamp, scope: &mut Scope<'_>) {
        while let Some(query) = self.queries.overdue(Timestamp(now.0.saturating_sub(WAIT_MAX_NS))) {
            let failure = (!query.is_repeated).then_some(Failure::Timeout);
            self.give_query(query, failure, scope);
        }
    }

    fn give_query(
        &self,
        query: Query<Key, Asker>,
        failure: Option<Failure>,
        scope: &mut Scope<'_>,
    ) {
        let Query { key, message, by, is_repeated } = query;
        let mut lookup = lookup(key, by.protocol, Some(message), None, [by.sender, None], scope);
        lookup.failure = failure;
        lookup.is_repeated = is_repeated;
        self.give(lookup, scope);
    }

    /// headertap asks for its collector's address: that is not reported.
    fn give(&self, lookup: Lookup, scope: &mut Scope<'_>) {
        scope.shared.account.seen(Unit::Dns, 1);
        let is_own = |view: &View| view.role == Role::Client && view.process.pid == self.own_pid;
        if lookup.views.iter().any(is_own) {
            scope.shared.account.settle(Unit::Dns, Outcome::Filtered, 1);
        } else {
            scope.found.push(Found::Lookup(Box::new(lookup)));
        }
    }

    /// Gives the queries that still wait.
    pub(in super::super) fn finish(&mut self, scope: &mut Scope<'_>) {
        while let Some(query) = self.queries.overdue(Timestamp(u64::MAX)) {
            let unfinished = Failure::Connection(exchange::Failure::Unfinished);
            let failure = (!query.is_repeated).then_some(unfinished);
            self.give_query(query, failure, scope);
        }
    }
}

/// The protocol whose port the datagram came by: of a query where it goes, of a response where it
/// comes from, and else the other.
fn protocol_of(datagram: &Datagram<'_>) -> Option<Protocol> {
    let Tuple { source, destination } = datagram.tuple;
    let ends = (source, destination);
    let (server, client) = if is_response(datagram) { ends } else { (destination, source) };
    Protocol::of_port(server.port).or_else(|| Protocol::of_port(client.port))
}

fn is_response(datagram: &Datagram<'_>) -> bool {
    let flags = datagram.payload.get(2..4).and_then(|flags| flags.try_into().ok());
    Flags(flags.map_or(0, u16::from_be_bytes)).is_response()
}

fn read(datagram: &Datagram<'_>, protocol: Protocol) -> Result<Option<Message>, Cause> {
    if datagram.len == 0 {
        return Ok(None);
    }
    let source = Source { len: datagram.len, is_multicast: protocol == Protocol::Mdns };
    match message(datagram.payload, source) {
        Ok(message) => Ok(Some(message)),
        Err(Unreadable::NotCaptured) => Err(Cause::Gap),
        Err(Unreadable::Malformed) => Err(Cause::Malformed),
    }
}

fn read_strictly(datagram: &Datagram<'_>) -> Option<Message> {
    let Tuple { source, destination } = datagram.tuple;
    let is_whole = usize::try_from(datagram.len).is_ok_and(|len| len == datagram.payload.len());
    let is_netbios = [source.port, destination.port].contains(&NETBIOS_PORT);
    if is_whole && !is_netbios { strict_message(datagram.payload) } else { None }
}

/// Whether a query is to be answered by the host that it is sent to.
fn waits(message: &Message, protocol: Protocol, key: &Key) -> bool {
    let is_to_all = match key.server.ip() {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_multicast(),
    };
    // From its own port, multicast DNS pairs nothing (RFC 6762 section 6.7).
    let is_among_responders = protocol == Protocol::Mdns && key.client.port == Protocol::MDNS_PORT;
    !is_to_all && !is_among_responders && is_answered(message)
}

fn lookup(
    key: Key,
    protocol: Protocol,
    query: Option<Message>,
    response: Option<Message>,
    ends: [Option<Sender>; 2],
    scope: &Scope<'_>,
) -> Lookup {
    let [client, server] = ends;
    let view = |role, end: Sender| View {
        role,
        process: end.process,
        span: SpanContext::default(),
        socket_cookie: end.socket_cookie,
        netns_inode: 0,
        connection_id: 0,
    };
    let mut views: Vec<_> = [(Role::Client, client), (Role::Server, server)]
        .into_iter()
        .filter_map(|(role, end)| end.map(|end| view(role, end)))
        .collect();
    if views.is_empty() {
        views.push(View::of_observer(scope.shared.nobody.clone(), SpanContext::default(), 0));
    }
    Lookup {
        client: key.client,
        server: key.server,
        protocol,
        transport: Transport::Udp,
        query,
        response,
        failure: None,
        is_repeated: false,
        observed: scope.observed,
        views,
    }
}

/// The datagrams that were seen last: one goes by several interfaces of a host with a bridge.
#[derive(Debug, Default)]
struct Sightings {
    hasher: RandomState,
    /// By hash, when and where.
    recent: HashMap<u64, (Timestamp, u32)>,
    order: VecDeque<u64>,
}

impl Sightings {
    /// Whether the datagram was seen elsewhere just now. Seen again in the same place, it was sent
    /// again.
    fn has_seen(&mut self, datagram: &Datagram<'_>) -> bool {
        if datagram.sighting == 0 {
            return false;
        }
        let hash = self.hasher.hash_one((datagram.tuple, datagram.len, datagram.payload));
        if let Some((at, place)) = self.recent.get_mut(&hash) {
            let is_recent = datagram.at.since(*at) <= SIGHTING_MAX_NS;
            if is_recent && *place != datagram.sighting {
                return true;
            }
            (*at, *place) = (datagram.at, datagram.sighting);
            return false;
        }
        if self.order.len() >= SIGHTINGS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.recent.remove(&oldest);
        }
        self.order.push_back(hash);
        self.recent.insert(hash, (datagram.at, datagram.sighting));
        false
    }
}
