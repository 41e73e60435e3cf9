//! Which bytes belong to which exchange, and which exchange to which process.
//!
//! Takes decoded events and gives exchanges, connection changes and verdicts. Owns the table of
//! flows, bounded in number, memory and time; asks no clock and does no I/O.

mod conversation;
mod dns;
mod end;
mod flow;
mod http1;
mod http2;
mod messages;
mod recognise;
mod tls;
mod trace;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::connection::Connection;
use crate::dns::Lookup;
use crate::event::{Datagram, Segment, SocketChange, SocketEvent, SocketRole};
use crate::exchange::Exchange;
use crate::flow::{Cell, FlowKey, Timestamp, Verdict};
use crate::process::Process;
use crate::stats::{Account, Outcome, Unit};
use crate::tls::Handshake;

use dns::Datagrams;
use end::End;
use flow::Flow;
use messages::Step;
use trace::Tracer;

/// Flows that are remembered at the same time.
const FLOWS_MAX: usize = 128 * 1024;
/// What all flows together may keep of messages that are not whole.
const MEMORY_MAX_BYTES: usize = 64 * 1024 * 1024;
/// Flows that may be passed over as recently used before one must go.
const SECOND_CHANCES: usize = 64;
/// Collectors that are remembered: as many as headertap has export connections, and more.
const COLLECTORS_MAX: usize = 16;

/// `service.name` of what belongs to no process of this host.
const UNKNOWN_SERVICE: &str = "unknown";

/// What comes out.
#[derive(Debug)]
pub enum Found {
    /// An exchange is over, or has lasted so long that it is given as it is.
    Exchange(Box<Exchange>),
    /// A ClientHello was answered, or will not be.
    Handshake(Box<Handshake>),
    /// A DNS lookup is over, or its query has waited for too long.
    Lookup(Box<Lookup>),
    /// A socket of this host opened, closed or failed.
    Connection(Box<Connection>),
    /// The kernel side may stop, or go on, copying.
    Verdict(Cell, Verdict),
}

/// What all flows share.
#[derive(Debug)]
struct Shared {
    tracer: Tracer,
    account: Arc<Account>,
    /// The process of what belongs to none of this host.
    nobody: Arc<Process>,
    /// Kept for its room alone.
    steps: Vec<Step>,
}

/// What a flow needs of the stage while it works.
struct Scope<'a> {
    shared: &'a mut Shared,
    observed: Timestamp,
    found: &'a mut Vec<Found>,
}

/// A flow in the order in which they may have to go: when it was last seen, when it was put here.
#[derive(Debug, Clone, Copy)]
struct Turn {
    key: FlowKey,
    last_seen: Timestamp,
}

/// The stage.
#[derive(Debug)]
pub struct Correlator {
    /// In an order that the events alone decide, as is then what is given at once. Boxed: the table
    /// itself stays small when it grows.
    flows: IndexMap<FlowKey, Box<Flow>>,
    turns: VecDeque<Turn>,
    datagrams: Datagrams,
    /// What the flows keep, together.
    memory: usize,
    shared: Shared,
    own_pid: u32,
    /// Those that accepted headertap's own connections: theirs are not reported either.
    collectors: VecDeque<Arc<Process>>,
    /// Who listened, by network namespace and port, before headertap began, where the kernel does
    /// not tell it of what is accepted (MPTCP). As many as the host had then.
    listeners: HashMap<(u32, u16), Arc<Process>>,
    /// Sockets are told of only if a packet of theirs was seen.
    only_watched: bool,
    /// Segments come from capture files.
    files: bool,
    limits: Limits,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    flows: usize,
    memory_bytes: usize,
}

impl Correlator {
    /// `seed` makes the trace ids that begin here unlike those of any other host and run.
    #[must_use]
    pub fn new(seed: [u8; 16], own_pid: u32, account: Arc<Account>) -> Self {
        Self {
            flows: IndexMap::new(),
            turns: VecDeque::new(),
            datagrams: Datagrams::new(own_pid),
            memory: 0,
            shared: Shared {
                tracer: Tracer::new(seed),
                account,
                nobody: Arc::new(Process {
                    service_name: UNKNOWN_SERVICE.to_owned(),
                    ..Process::default()
                }),
                steps: Vec::new(),
            },
            own_pid,
            collectors: VecDeque::new(),
            listeners: HashMap::new(),
            only_watched: false,
            files: false,
            limits: Limits { flows: FLOWS_MAX, memory_bytes: MEMORY_MAX_BYTES },
        }
    }

    /// Only some interfaces are watched: the sockets of the whole host are not to be told of, only
    /// those that talk there.
    #[must_use]
    pub fn only_watched(self) -> Self {
        Self { only_watched: true, ..self }
    }

    /// Segments come from capture files, where effects may stand before their causes.
    #[must_use]
    pub fn of_files(self) -> Self {
        Self { files: true, ..self }
    }

    /// Takes a segment.
    pub fn segment(&mut self, segment: &Segment<'_>, observed: Timestamp, found: &mut Vec<Found>) {
        if segment.tuple.source == segment.tuple.destination && !self.files {
            // A socket connected to itself: its two directions cannot be told apart. In a file it
            // is rather one direction whose addresses were made up.
            return;
        }
        let (key, direction) = FlowKey::of(&segment.tuple);
        let flow = if let Some(flow) = self.flows.get_mut(&key) {
            flow
        } else {
            self.expect(key, segment.at, observed, found);
            self.flows.entry(key).or_insert_with(|| Box::new(Flow::new(key, segment.at)))
        };
        let before = flow.cost();
        let mut scope = Scope { shared: &mut self.shared, observed, found };
        if flow.is_followed_by(segment, direction) {
            flow.finish(&mut scope);
            **flow = Flow::new(key, segment.at);
        }
        match self.files {
            true => flow.segment_of_file(segment, direction, &mut scope),
            false => flow.segment(segment, direction, &mut scope),
        }
        self.memory = (self.memory + flow.cost()).saturating_sub(before);
        if self.memory > self.limits.memory_bytes {
            self.shed(observed, found);
        }
    }

    /// Takes a datagram; `process` owns the socket that sent it.
    pub fn datagram(
        &mut self,
        datagram: &Datagram<'_>,
        process: Option<Arc<Process>>,
        observed: Timestamp,
        found: &mut Vec<Found>,
    ) {
        let mut scope = Scope { shared: &mut self.shared, observed, found };
        self.datagrams.datagram(datagram, process, &mut scope);
    }

    /// Takes a socket's change of state; `process` owns the socket.
    pub fn socket(
        &mut self,
        event: &SocketEvent,
        process: Arc<Process>,
        observed: Timestamp,
        found: &mut Vec<Found>,
    ) {
        let Some(process) = self.accepting(event, process) else { return };
        let (key, direction) = FlowKey::of(&event.tuple);
        if !self.flows.contains_key(&key) {
            self.expect(key, event.at, observed, found);
        }
        let flow = self.flows.entry(key).or_insert_with(|| Box::new(Flow::new(key, event.at)));
        let before = flow.cost();
        let reset = flow.reset(direction);
        let mut new = End::new(event, process);
        let is_other = !flow.may_be_sent_by(direction, event.socket_cookie);
        let end = if is_other { &mut new } else { flow.end(direction, new) };
        let is_own = |process: &Process| process.pid == self.own_pid;
        let is_collector =
            |process: &Process| self.collectors.iter().any(|collector| is_same(collector, process));
        let excluded = end.may_be_client() && (is_own(&end.process) || is_collector(&end.process));
        let change = end.change(event, reset);
        let connection = change.map(|change| end.connection(event, observed, change));
        let is_closed = end.is_closed();
        if !is_other {
            if is_closed {
                flow.note_socket_closed(event.at);
            }
            if excluded {
                flow.exclude();
            }
        }
        let excluded = excluded || !is_other && flow.is_excluded();
        let is_told = !self.only_watched || !is_other && flow.has_segments();
        let collector = flow.server_of(self.own_pid).map(Arc::clone);
        self.memory = (self.memory + flow.cost()).saturating_sub(before);
        self.learn_collector(collector);
        if let Some(connection) = connection.filter(|_| is_told) {
            self.give_connection(connection, excluded, found);
        }
    }

    /// The owner of a connection's socket; `None` if the socket is a listener, which is remembered.
    fn accepting(&mut self, event: &SocketEvent, process: Arc<Process>) -> Option<Arc<Process>> {
        let local = (event.netns_inode, event.tuple.source.port);
        if event.change == SocketChange::Existing && event.tuple.destination.port == 0 {
            self.listeners.insert(local, process);
            return None;
        }
        if process.pid != 0 || event.role == SocketRole::Client {
            return Some(process);
        }
        Some(self.listeners.get(&local).cloned().unwrap_or(process))
    }

    /// The process that accepts headertap's own connection is the collector.
    fn learn_collector(&mut self, collector: Option<Arc<Process>>) {
        let Some(collector) = collector else { return };
        if self.collectors.iter().any(|known| is_same(known, &collector)) {
            return;
        }
        tracing::info!(
            pid = collector.pid,
            name = collector.executable_name,
            "connections that the collector opens are not reported"
        );
        for flow in self.flows.values_mut().filter(|flow| flow.may_be_opened_by(collector.pid)) {
            self.memory = self.memory.saturating_sub(flow.cost());
            flow.exclude();
            self.memory += flow.cost();
        }
        self.collectors.push_back(collector);
        if self.collectors.len() > COLLECTORS_MAX {
            self.collectors.pop_front();
        }
    }

    fn give_connection(&self, connection: Connection, excluded: bool, found: &mut Vec<Found>) {
        self.shared.account.seen(Unit::Connections, 1);
        if excluded {
            self.shared.account.settle(Unit::Connections, Outcome::Filtered, 1);
        } else {
            found.push(Found::Connection(Box::new(connection)));
        }
    }

    /// Makes room for a flow, and gives it its turn.
    fn expect(&mut self, key: FlowKey, at: Timestamp, observed: Timestamp, found: &mut Vec<Found>) {
        if self.flows.len() >= self.limits.flows {
            self.make_room(observed, found);
        }
        // Flows that are gone have left their turns behind.
        if self.turns.len() > 2 * self.flows.len() + SECOND_CHANCES {
            self.turns = turns_of(&self.flows);
        }
        self.turns.push_back(Turn { key, last_seen: at });
    }

    fn close(&mut self, mut flow: Box<Flow>, observed: Timestamp, found: &mut Vec<Found>) {
        self.memory = self.memory.saturating_sub(flow.cost());
        let mut scope = Scope { shared: &mut self.shared, observed, found };
        flow.finish(&mut scope);
    }

    /// Forgets what has been silent for too long, and gives what has lasted for too long. To be
    /// called about once a second.
    pub fn expire(&mut self, now: Timestamp, found: &mut Vec<Found>) {
        let over: Vec<FlowKey> =
            self.flows.iter().filter(|(_, flow)| flow.is_over(now)).map(|(key, _)| *key).collect();
        for key in over {
            if let Some(flow) = self.flows.swap_remove(&key) {
                self.close(flow, now, found);
            }
        }
        let mut scope = Scope { shared: &mut self.shared, observed: now, found };
        self.datagrams.expire(now, &mut scope);
        for flow in self.flows.values_mut() {
            let before = flow.cost();
            if before > 0 {
                flow.expire(now, &mut scope);
                self.memory = (self.memory + flow.cost()).saturating_sub(before);
            }
        }
    }

    /// Gives everything that is not over yet.
    pub fn finish(&mut self, now: Timestamp, found: &mut Vec<Found>) {
        for (_, flow) in std::mem::take(&mut self.flows) {
            self.close(flow, now, found);
        }
        self.turns.clear();
        let mut scope = Scope { shared: &mut self.shared, observed: now, found };
        self.datagrams.finish(&mut scope);
    }

    /// When the table is full, the flow that was silent for longest goes, as nearly as its turn
    /// tells; what it had open is given as unfinished, so no exchange is lost.
    fn make_room(&mut self, now: Timestamp, found: &mut Vec<Found>) {
        let mut chances = SECOND_CHANCES;
        while let Some(turn) = self.turns.pop_front() {
            let Some(flow) = self.flows.get(&turn.key) else { continue };
            let last_seen = flow.last_seen();
            if last_seen > turn.last_seen && chances > 0 {
                chances -= 1;
                self.turns.push_back(Turn { last_seen, ..turn });
            } else if let Some(flow) = self.flows.swap_remove(&turn.key) {
                self.close(flow, now, found);
                return;
            }
        }
    }

    /// When messages that are not whole take too much memory, those that were silent for longest
    /// are given up, until a quarter is free: that pays for looking through the table.
    fn shed(&mut self, now: Timestamp, found: &mut Vec<Found>) {
        let enough = self.limits.memory_bytes / 4 * 3;
        let mut by_age: Vec<(Timestamp, FlowKey)> = self
            .flows
            .iter()
            .filter(|(_, flow)| flow.cost() > 0)
            .map(|(key, flow)| (flow.last_seen(), *key))
            .collect();
        by_age.sort_unstable_by_key(|(last_seen, _)| *last_seen);
        let mut scope = Scope { shared: &mut self.shared, observed: now, found };
        for (_, key) in by_age {
            if self.memory <= enough {
                break;
            }
            if let Some(flow) = self.flows.get_mut(&key) {
                let before = flow.cost();
                flow.shed(&mut scope);
                self.memory = (self.memory + flow.cost()).saturating_sub(before);
            }
        }
    }
}

fn turns_of(flows: &IndexMap<FlowKey, Box<Flow>>) -> VecDeque<Turn> {
    let mut turns: Vec<Turn> =
        flows.iter().map(|(key, flow)| Turn { key: *key, last_seen: flow.last_seen() }).collect();
    turns.sort_unstable_by_key(|turn| turn.last_seen);
    turns.into()
}

/// Whether both are one process, and not two that had the same pid one after the other.
fn is_same(a: &Process, b: &Process) -> bool {
    a.pid == b.pid && a.service_instance_id == b.service_instance_id
}

#[cfg(test)]
mod tests;
