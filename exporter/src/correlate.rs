//! Which bytes belong to which exchange, and which exchange to which process.
//!
//! Takes decoded events and gives exchanges, connection changes and verdicts. Owns the table of
//! flows, bounded in number and time; asks no clock and does no I/O.

mod end;
mod flow;
mod http1;
mod trace;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::connection::Connection;
use crate::event::{Segment, SocketEvent, TcpFlags};
use crate::exchange::Exchange;
use crate::flow::{Cell, FlowKey, Timestamp, Verdict};
use crate::process::Process;
use crate::stats::{Account, Outcome, Unit};

use end::End;
use flow::{Flow, Scope, Shared};
use trace::Tracer;

/// Flows that are remembered at the same time.
const FLOWS_MAX: usize = 128 * 1024;
/// A flow without a socket on this host is forgotten when it has been silent for this long.
const IDLE_MAX_NS: u64 = 300 * 1_000_000_000;
/// A closed flow is kept this long, for its sockets' last words.
const LINGER_NS: u64 = 2 * 1_000_000_000;
/// The smallest skip that is worth telling the kernel side.
const SKIP_MIN_BYTES: u64 = 2048;

/// `service.name` of what belongs to no process of this host.
const UNKNOWN_SERVICE: &str = "unknown";

/// What comes out.
#[derive(Debug)]
pub enum Found {
    /// An exchange is over.
    Exchange(Box<Exchange>),
    /// A socket of this host opened, closed or failed.
    Connection(Box<Connection>),
    /// The kernel side may stop, or go on, copying.
    Verdict(Cell, Verdict),
}

/// The stage.
#[derive(Debug)]
pub struct Correlator {
    flows: FxHashMap<FlowKey, Flow>,
    shared: Shared,
    /// Processes whose outgoing connections are not reported: headertap's own, and the collector
    /// that it sends to.
    excluded: FxHashSet<u32>,
    own_pid: u32,
}

impl Correlator {
    /// `seed` makes the trace ids that begin here unlike those of any other host and run.
    #[must_use]
    pub fn new(seed: [u8; 16], own_pid: u32, account: Arc<Account>) -> Self {
        Self {
            flows: FxHashMap::default(),
            shared: Shared {
                tracer: Tracer::new(seed),
                account,
                nobody: Arc::new(Process {
                    service_name: UNKNOWN_SERVICE.to_owned(),
                    ..Process::default()
                }),
            },
            excluded: FxHashSet::from_iter([own_pid]),
            own_pid,
        }
    }

    /// Takes a segment.
    pub fn segment(&mut self, segment: &Segment<'_>, observed: Timestamp, found: &mut Vec<Found>) {
        let (key, direction) = FlowKey::of(&segment.tuple);
        if segment.flags.contains(TcpFlags::SYN) && !segment.flags.contains(TcpFlags::ACK) {
            self.restart(key, segment.at, observed, found);
        }
        if !self.flows.contains_key(&key) {
            self.make_room(observed, found);
        }
        let flow = self.flows.entry(key).or_insert_with(|| Flow::new(key, segment.at));
        let mut scope = Scope { shared: &mut self.shared, observed, found };
        flow.segment(segment, direction, &mut scope);
    }

    /// Takes a socket's change of state; `process` owns the socket.
    pub fn socket(
        &mut self,
        event: &SocketEvent,
        process: Arc<Process>,
        observed: Timestamp,
        found: &mut Vec<Found>,
    ) {
        let (key, direction) = FlowKey::of(&event.tuple);
        if !self.flows.contains_key(&key) {
            self.make_room(observed, found);
        }
        let flow = self.flows.entry(key).or_insert_with(|| Flow::new(key, event.at));
        let reset = flow.reset(direction);
        let end = flow.end(direction, End::new(event, process));
        let change = end.change(event, reset);
        let connection = change.map(|change| end.connection(event, observed, change));
        let excluded = end.is_client() && self.excluded.contains(&end.process.pid);
        if end.is_closed() {
            flow.note_socket_closed(event.at);
        }
        if excluded {
            flow.exclude();
        }
        self.learn_collector(key);
        self.give_connection(key, connection, found);
    }

    /// The process that accepts headertap's own connection is the collector.
    fn learn_collector(&mut self, key: FlowKey) {
        let Some(flow) = self.flows.get(&key) else { return };
        if let Some(collector) = flow.server_of(self.own_pid)
            && self.excluded.insert(collector.pid)
        {
            tracing::info!(
                pid = collector.pid,
                name = collector.executable_name,
                "connections that the collector opens are not reported"
            );
        }
    }

    fn give_connection(
        &self,
        key: FlowKey,
        connection: Option<Connection>,
        found: &mut Vec<Found>,
    ) {
        let Some(connection) = connection else { return };
        self.shared.account.seen(Unit::Connections, 1);
        if self.flows.get(&key).is_some_and(Flow::is_excluded) {
            self.shared.account.settle(Unit::Connections, Outcome::Filtered, 1);
        } else {
            found.push(Found::Connection(Box::new(connection)));
        }
    }

    /// A SYN on ports that were used before: whatever was open there is over. The sockets that
    /// have spoken already belong to the new connection, if they are of its time.
    fn restart(
        &mut self,
        key: FlowKey,
        at: Timestamp,
        observed: Timestamp,
        found: &mut Vec<Found>,
    ) {
        if let Some(old) = self.flows.remove(&key) {
            self.flows.insert(key, Flow::new(key, at));
            self.close(old, observed, found);
        }
    }

    fn close(&mut self, mut flow: Flow, observed: Timestamp, found: &mut Vec<Found>) {
        let mut scope = Scope { shared: &mut self.shared, observed, found };
        flow.finish(&mut scope);
    }

    /// Forgets what has been silent for too long. To be called about once a second.
    pub fn expire(&mut self, now: Timestamp, found: &mut Vec<Found>) {
        let over: Vec<FlowKey> = self
            .flows
            .iter()
            .filter(|(_, flow)| flow.is_over(now, IDLE_MAX_NS, LINGER_NS))
            .map(|(key, _)| *key)
            .collect();
        for key in over {
            if let Some(flow) = self.flows.remove(&key) {
                self.close(flow, now, found);
            }
        }
        let mut scope = Scope { shared: &mut self.shared, observed: now, found };
        for flow in self.flows.values_mut().filter(|flow| flow.is_holding()) {
            flow.expire_holes(now, &mut scope);
        }
    }

    /// Gives everything that is not over yet.
    pub fn finish(&mut self, now: Timestamp, found: &mut Vec<Found>) {
        for (_, flow) in std::mem::take(&mut self.flows) {
            self.close(flow, now, found);
        }
    }

    /// When the table is full, the oldest of a sample goes; what it had open is given.
    fn make_room(&mut self, now: Timestamp, found: &mut Vec<Found>) {
        if self.flows.len() < FLOWS_MAX {
            return;
        }
        let oldest = self.flows.iter().take(64).min_by_key(|(_, flow)| flow.last_seen());
        if let Some(key) = oldest.map(|(key, _)| *key)
            && let Some(flow) = self.flows.remove(&key)
        {
            self.close(flow, now, found);
        }
    }
}
