//! One connection: both directions' bytes, what protocol they are, and the sockets at its ends.

use std::sync::Arc;

use crate::connection::CloseReason;
use crate::event::{Segment, TcpFlags};
use crate::exchange::{Dropped, Exchange, Failure, Role, View};
use crate::flow::{Cell, Direction, Endpoint, FlowKey, Timestamp, Verdict};
use crate::parse::Parsed;
use crate::parse::http1::{Side, side_of};
use crate::process::Process;
use crate::reassemble::{Chunk, Direction as Reassembly};
use crate::stats::{Account, Cause, Outcome, Unit};

use super::end::End;
use super::http1::{Http1, Messages, Step};
use super::trace::{Place, Trace, Tracer};
use super::{Found, SKIP_MIN_BYTES};

/// Segments of a connection joined in mid-stream that may pass before it is given up.
const PROBES_MAX: u32 = 16;
/// What one verdict may skip: sequence numbers compare over less than 2 GiB.
const SKIP_MAX_BYTES: u64 = 1 << 30;
/// How far the kernel side copies while a head is open: as `COPY_WINDOW` in `bpf/flow.h`.
const COPY_WINDOW_BYTES: u32 = 80 * 1024;

/// How much of it may be used up before it is moved on.
const EXTEND_EVERY_BYTES: u32 = 16 * 1024;

/// What all flows share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) tracer: Tracer,
    pub(super) account: Arc<Account>,
    /// The process of what belongs to none of this host.
    pub(super) nobody: Arc<Process>,
}

/// What a flow needs of the stage while it works.
pub(super) struct Scope<'a> {
    pub(super) shared: &'a mut Shared,
    pub(super) observed: Timestamp,
    pub(super) found: &'a mut Vec<Found>,
}

/// What the bytes are.
#[derive(Debug)]
enum Protocol {
    /// Not known yet; so many segments have been looked at.
    Unknown(u32),
    Http1(Box<Http1>),
    /// None that is read here, or over, or not to be reported.
    Other,
}

/// One of the two directions.
#[derive(Debug, Default)]
struct Way {
    reassembly: Reassembly,
    cell: Cell,
    /// The socket that sends this way.
    sender: Option<End>,
    finished: bool,
    /// Where the kernel side's window was last moved from.
    extended_at: u32,
}

#[derive(Debug)]
pub(super) struct Flow {
    key: FlowKey,
    start: Timestamp,
    last_seen: Timestamp,
    closed_at: Option<Timestamp>,
    /// The SYN was seen, so the first byte will be.
    whole: bool,
    reset_by: Option<Direction>,
    excluded: bool,
    /// The direction from client to server.
    client: Option<Direction>,
    protocol: Protocol,
    low_to_high: Way,
    high_to_low: Way,
}

impl Flow {
    pub(super) fn new(key: FlowKey, start: Timestamp) -> Self {
        Self {
            key,
            start,
            last_seen: start,
            closed_at: None,
            whole: false,
            reset_by: None,
            excluded: false,
            client: None,
            protocol: Protocol::Unknown(0),
            low_to_high: Way::default(),
            high_to_low: Way::default(),
        }
    }

    fn way(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::LowToHigh => &mut self.low_to_high,
            Direction::HighToLow => &mut self.high_to_low,
        }
    }

    fn sender(&self, direction: Direction) -> Option<&End> {
        match direction {
            Direction::LowToHigh => self.low_to_high.sender.as_ref(),
            Direction::HighToLow => self.high_to_low.sender.as_ref(),
        }
    }

    fn endpoint(&self, sender: Direction) -> Endpoint {
        match sender {
            Direction::LowToHigh => self.key.low,
            Direction::HighToLow => self.key.high,
        }
    }

    pub(super) fn last_seen(&self) -> Timestamp {
        self.last_seen
    }

    pub(super) fn is_excluded(&self) -> bool {
        self.excluded
    }

    /// Nothing of this connection is to be reported.
    pub(super) fn exclude(&mut self) {
        self.excluded = true;
        self.protocol = Protocol::Other;
    }

    pub(super) fn is_holding(&self) -> bool {
        self.low_to_high.reassembly.held_bytes() + self.high_to_low.reassembly.held_bytes() > 0
    }

    /// Whether the flow can be forgotten.
    pub(super) fn is_over(&self, now: Timestamp, idle_ns: u64, linger_ns: u64) -> bool {
        if self.closed_at.is_some_and(|closed| now.since(closed) > linger_ns) {
            return true;
        }
        let ends = [&self.low_to_high.sender, &self.high_to_low.sender];
        let open = ends.iter().any(|end| end.as_ref().is_some_and(|end| !end.is_closed()));
        !open && now.since(self.last_seen) > idle_ns
    }

    /// The socket that sends in `direction`, the first time with what `new` says of it.
    pub(super) fn end(&mut self, direction: Direction, new: End) -> &mut End {
        if new.is_client() {
            self.client = Some(direction);
        }
        let sender = &mut self.way(direction).sender;
        match sender {
            Some(end) => end.learn(new),
            None => *sender = Some(new),
        }
        sender.as_mut().expect("it was set above")
    }

    /// Who reset the connection, as the socket that sends in `direction` would say.
    pub(super) fn reset(&self, direction: Direction) -> Option<CloseReason> {
        self.reset_by.map(|by| match by == direction {
            true => CloseReason::RstSent,
            false => CloseReason::RstReceived,
        })
    }

    /// The process that accepted a connection of `client_pid`.
    pub(super) fn server_of(&self, client_pid: u32) -> Option<&Arc<Process>> {
        let client = self.client?;
        let is_his = self.sender(client).is_some_and(|end| end.process.pid == client_pid);
        let server = self.sender(client.reversed())?;
        (is_his && server.process.pid != 0).then_some(&server.process)
    }

    /// Every socket of this host at this connection is closed.
    pub(super) fn note_socket_closed(&mut self, at: Timestamp) {
        let mut ends = [&self.low_to_high, &self.high_to_low]
            .into_iter()
            .filter_map(|way| way.sender.as_ref());
        if ends.all(End::is_closed) {
            self.closed_at.get_or_insert(at);
        }
    }

    pub(super) fn segment(
        &mut self,
        segment: &Segment<'_>,
        direction: Direction,
        scope: &mut Scope<'_>,
    ) {
        self.last_seen = segment.at;
        self.way(direction).cell = segment.cell;
        if segment.flags.contains(TcpFlags::SYN) {
            let from_server = segment.flags.contains(TcpFlags::ACK);
            self.client = Some(if from_server { direction.reversed() } else { direction });
            self.whole = true;
        }
        if segment.flags.contains(TcpFlags::ACK) && !matches!(self.protocol, Protocol::Other) {
            self.reassemble(direction.reversed(), scope, |reassembly, give| {
                reassembly.acknowledged(segment.ack, give);
            });
        }
        self.reassemble(direction, scope, |reassembly, give| reassembly.push(segment, give));
        self.advise(direction, scope);
    }

    /// Takes the reassembly out while it gives chunks, as they change the rest of the flow.
    fn reassemble(
        &mut self,
        direction: Direction,
        scope: &mut Scope<'_>,
        work: impl FnOnce(&mut Reassembly, &mut dyn FnMut(Chunk<'_>)),
    ) {
        let mut reassembly = std::mem::take(&mut self.way(direction).reassembly);
        work(&mut reassembly, &mut |chunk| self.chunk(direction, chunk, scope));
        self.way(direction).reassembly = reassembly;
    }

    pub(super) fn expire_holes(&mut self, now: Timestamp, scope: &mut Scope<'_>) {
        for direction in [Direction::LowToHigh, Direction::HighToLow] {
            self.reassemble(direction, scope, |reassembly, give| reassembly.expire(now, give));
        }
    }

    /// The flow is forgotten: gives what is not over.
    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        for direction in [Direction::LowToHigh, Direction::HighToLow] {
            self.reassemble(direction, scope, Reassembly::give_up_holes);
        }
        let closed = self.closed_at.is_some();
        self.fail(if closed { Failure::ConnectionClosed } else { Failure::Unfinished }, scope);
    }

    fn chunk(&mut self, direction: Direction, chunk: Chunk<'_>, scope: &mut Scope<'_>) {
        match chunk {
            Chunk::Data(bytes, at) => self.data(direction, bytes, at, scope),
            Chunk::Gap(len) => {
                let at = self.last_seen;
                self.http1(direction, scope, |http1, side, steps| http1.gap(side, len, at, steps));
            }
            Chunk::Fin(at) => {
                self.http1(direction, scope, |http1, side, steps| http1.fin(side, at, steps));
                self.way(direction).finished = true;
                if self.low_to_high.finished && self.high_to_low.finished {
                    self.closed_at.get_or_insert(at);
                }
            }
            Chunk::Rst(at) => {
                self.reset_by.get_or_insert(direction);
                self.closed_at.get_or_insert(at);
                self.fail(Failure::ConnectionReset, scope);
            }
        }
    }

    fn fail(&mut self, failure: Failure, scope: &mut Scope<'_>) {
        self.http1(Direction::LowToHigh, scope, |http1, _, steps| http1.fail(failure, steps));
    }

    fn data(&mut self, direction: Direction, bytes: &[u8], at: Timestamp, scope: &mut Scope<'_>) {
        if let Protocol::Unknown(probes) = self.protocol {
            self.protocol = self.recognise(direction, bytes, probes);
        }
        let mut is_http1 = true;
        self.http1(direction, scope, |http1, side, steps| {
            is_http1 = http1.data(side, bytes, at, steps);
        });
        if !is_http1 {
            self.fail(Failure::Unfinished, scope);
            self.protocol = Protocol::Other;
        }
    }

    fn recognise(&mut self, direction: Direction, bytes: &[u8], probes: u32) -> Protocol {
        if self.whole {
            return Protocol::Http1(Box::new(Http1::new()));
        }
        match side_of(bytes) {
            Parsed::Message(side) => {
                let client = if side == Side::Request { direction } else { direction.reversed() };
                self.client = Some(client);
                Protocol::Http1(Box::new(Http1::joined()))
            }
            _ if probes < PROBES_MAX => Protocol::Unknown(probes + 1),
            _ => Protocol::Other,
        }
    }

    /// Lets the HTTP/1 connection, if it is one, work, and gives what it found.
    fn http1(
        &mut self,
        direction: Direction,
        scope: &mut Scope<'_>,
        work: impl FnOnce(&mut Http1, Side, &mut Vec<Step>),
    ) {
        let Some(client) = self.client else { return };
        let Protocol::Http1(http1) = &mut self.protocol else { return };
        let side = if direction == client { Side::Request } else { Side::Response };
        let mut steps = Vec::new();
        work(http1, side, &mut steps);
        for step in steps {
            self.step(step, client, scope);
        }
    }

    fn step(&mut self, step: Step, client: Direction, scope: &mut Scope<'_>) {
        match step {
            Step::Asked(index) => self.asked(index, client, scope),
            Step::Exchange(messages) => {
                let exchange = self.exchange(*messages, client, scope);
                scope.shared.account.seen(Unit::Http, 1);
                scope.found.push(Found::Exchange(Box::new(exchange)));
            }
            Step::Lost => {
                scope.shared.account.seen(Unit::Http, 1);
                scope.shared.account.settle(Unit::Http, Outcome::Lost(Cause::Malformed), 1);
            }
        }
    }

    fn place(&self, index: u64, client: Direction) -> Place {
        Place {
            client: self.endpoint(client),
            server: self.endpoint(client.reversed()),
            start: self.start,
            index,
        }
    }

    /// A request has reached a process of this host: what it sends on is its child.
    fn asked(&mut self, index: u64, client: Direction, scope: &mut Scope<'_>) {
        let Protocol::Http1(http1) = &self.protocol else { return };
        let Some(server) = self.sender(client.reversed()) else { return };
        let place = self.place(index, client);
        let trace = scope.shared.tracer.trace(http1.request(index), &place);
        scope.shared.tracer.inbound(&trace, &place, &server.process);
    }

    fn exchange(&self, messages: Messages, client: Direction, scope: &mut Scope<'_>) -> Exchange {
        let place = self.place(messages.index, client);
        let trace = scope.shared.tracer.trace(messages.request.as_ref(), &place);
        Exchange {
            client: place.client,
            server: place.server,
            index: messages.index,
            stream_id: None,
            views: self.views(client, &trace, &place, scope),
            request: messages.request,
            request_end: messages.request_end,
            response: messages.response,
            response_end: messages.response_end,
            interim: messages.interim,
            failure: messages.failure,
            duplicate_traceparent: trace.duplicate,
            truncated_start: !self.whole,
            observed: scope.observed,
            dropped: Dropped::default(),
        }
    }

    /// One view for each end on this host, or an observer's.
    fn views(
        &self,
        client: Direction,
        trace: &Trace,
        place: &Place,
        scope: &Scope<'_>,
    ) -> Vec<View> {
        let mut views = Vec::new();
        let mut client_span = None;
        if let Some(end) = self.sender(client) {
            let span = scope.shared.tracer.client(trace, place, &end.process);
            client_span = Some(span);
            views.push(end.view(Role::Client, span));
        }
        if let Some(end) = self.sender(client.reversed()) {
            let span = scope.shared.tracer.server(trace, place, &end.process, client_span.as_ref());
            views.push(end.view(Role::Server, span));
        }
        if views.is_empty() {
            views.push(View {
                role: Role::Observer,
                process: scope.shared.nobody.clone(),
                span: Tracer::observer(trace),
                socket_cookie: 0,
                netns_inode: 0,
                connection_id: 0,
            });
        }
        views
    }

    /// Tells the kernel side what need not be copied of this direction, or must be.
    fn advise(&mut self, direction: Direction, scope: &mut Scope<'_>) {
        let verdict = match &self.protocol {
            Protocol::Other => Some(Verdict::Done),
            Protocol::Unknown(_) => None,
            Protocol::Http1(http1) => {
                let is_client = self.client == Some(direction);
                let side = if is_client { Side::Request } else { Side::Response };
                let (skippable, wants_more) = (http1.skippable(side), http1.in_head(side));
                self.advise_http1(direction, skippable, wants_more || is_client)
            }
        };
        let cell = self.way(direction).cell;
        if let Some(verdict) = verdict
            && cell.tag != 0
        {
            scope.found.push(Found::Verdict(cell, verdict));
            if verdict == Verdict::Done {
                scope.found.push(Found::Verdict(cell.reversed(), verdict));
            }
        }
    }

    fn advise_http1(
        &mut self,
        direction: Direction,
        skippable: u64,
        wants_more: bool,
    ) -> Option<Verdict> {
        let way = self.way(direction);
        if skippable >= SKIP_MIN_BYTES {
            // The last byte is wanted: it tells when the message ended.
            let bytes = u32::try_from((skippable - 1).min(SKIP_MAX_BYTES)).ok()?;
            return way.reassembly.unwanted(bytes).map(Verdict::SkipUntil);
        }
        let next = way.reassembly.next()?;
        let since = next.wrapping_sub(way.extended_at);
        if wants_more && since > EXTEND_EVERY_BYTES {
            way.extended_at = next;
            return Some(Verdict::CopyUntil(next.wrapping_add(COPY_WINDOW_BYTES)));
        }
        None
    }
}
