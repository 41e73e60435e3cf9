//! One connection: both directions' bytes, what protocol they are, and the sockets at its ends.

mod advice;
mod begin;
mod handshake;
mod order;
mod report;
mod sockets;

use crate::event::{Segment, TcpFlags};
use crate::exchange::Failure;
use crate::flow::{Cell, Direction, Endpoint, FlowKey, Side, Timestamp};
use crate::reassemble::{Chunk, Direction as Reassembly};
use crate::stats::Arrival;

use super::Scope;
use super::conversation::{Conversation, Fate};
use super::end::End;
use super::messages::Step;
use order::Waiting;

/// A flow without an open socket on this host is forgotten when it has been silent for this long.
const IDLE_MAX_NS: u64 = 300 * 1_000_000_000;
/// The same, where it carried no byte and no socket is known: a SYN that nobody answered.
const EMBRYONIC_MAX_NS: u64 = 10 * 1_000_000_000;
/// A closed flow is kept this long, for its sockets' last words.
const LINGER_NS: u64 = 2 * 1_000_000_000;
/// An exchange is given after this long, over or not: a long poll is to be seen while it lasts.
const OPEN_MAX_NS: u64 = 300 * 1_000_000_000;

/// What the bytes are.
#[derive(Debug)]
enum Protocol {
    /// Not known yet; so many segments have been looked at.
    Unknown(u32),
    Known(Box<dyn Conversation>),
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
    /// The cookie that its segments carry; 0: not seen.
    socket_cookie: u64,
    finished: bool,
    /// Its first bytes, or those of a segment, where they do not tell the protocol.
    begun: Option<(Vec<u8>, Timestamp)>,
    /// Where the kernel side's window was last moved from.
    extended_at: Option<u32>,
}

impl Way {
    /// The socket with this cookie has sent data; whoever else was taken for the sender is not.
    fn sent_by(&mut self, socket_cookie: u64) {
        self.socket_cookie = socket_cookie;
        self.sender.take_if(|end| end.socket_cookie() != socket_cookie);
    }
}

#[derive(Debug)]
pub(super) struct Flow {
    key: FlowKey,
    start: Timestamp,
    last_seen: Timestamp,
    closed_at: Option<Timestamp>,
    /// The SYN was seen, and nothing is missing since.
    whole: bool,
    /// A direction whose bytes were missed before the protocol was known.
    missed: Option<Direction>,
    reset_by: Option<Direction>,
    excluded: bool,
    /// The direction from client to server.
    client: Option<Direction>,
    protocol: Protocol,
    /// Exchanges before the conversation began.
    first_index: u64,
    /// Segments of a capture file that come before their cause.
    waiting: Waiting,
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
            missed: None,
            reset_by: None,
            excluded: false,
            client: None,
            protocol: Protocol::Unknown(0),
            first_index: 0,
            waiting: Waiting::default(),
            low_to_high: Way::default(),
            high_to_low: Way::default(),
        }
    }

    fn way(&self, direction: Direction) -> &Way {
        match direction {
            Direction::LowToHigh => &self.low_to_high,
            Direction::HighToLow => &self.high_to_low,
        }
    }

    fn way_mut(&mut self, direction: Direction) -> &mut Way {
        match direction {
            Direction::LowToHigh => &mut self.low_to_high,
            Direction::HighToLow => &mut self.high_to_low,
        }
    }

    fn sender(&self, direction: Direction) -> Option<&End> {
        self.way(direction).sender.as_ref()
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

    /// Whether a packet of it was seen.
    pub(super) fn has_segments(&self) -> bool {
        [&self.low_to_high, &self.high_to_low].iter().any(|way| way.cell != Cell::default())
    }

    /// About how many bytes of memory it takes beyond itself.
    pub(super) fn cost(&self) -> usize {
        let held = [&self.low_to_high, &self.high_to_low].map(|way| way.reassembly.held_bytes());
        let kept = match &self.protocol {
            Protocol::Known(conversation) => conversation.cost(),
            Protocol::Unknown(_) | Protocol::Other => 0,
        };
        held.iter().sum::<usize>() + kept + self.waiting.cost()
    }

    /// Whether the flow can be forgotten.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        let silent_ns = now.since(self.last_seen);
        if let Some(closed) = self.closed_at {
            return now.since(closed) > LINGER_NS && silent_ns > LINGER_NS;
        }
        let senders = [&self.low_to_high.sender, &self.high_to_low.sender];
        let mut sockets = senders.into_iter().flatten();
        let is_embryonic =
            sockets.clone().next().is_none() && matches!(self.protocol, Protocol::Unknown(0));
        let limit = if is_embryonic { EMBRYONIC_MAX_NS } else { IDLE_MAX_NS };
        !sockets.any(|end| !end.is_closed()) && silent_ns > limit
    }

    /// Whether the segment is of a newer connection between the same ports. A SYN that is
    /// repeated is not, nor is the second SYN of a simultaneous open (RFC 9293 section 3.5).
    pub(super) fn is_followed_by(&self, segment: &Segment<'_>, direction: Direction) -> bool {
        let own = &self.way(direction).reassembly;
        if !segment.flags.contains(TcpFlags::SYN) || own.isn() == Some(segment.seq) {
            return false;
        }
        let other = &self.way(direction.reversed()).reassembly;
        let only_syn = other.isn().map(|isn| isn.wrapping_add(1)) == other.next();
        let answers = segment.flags.contains(TcpFlags::ACK);
        self.closed_at.is_some() || own.next().is_some() || !answers && !only_syn
    }

    pub(super) fn segment(
        &mut self,
        segment: &Segment<'_>,
        direction: Direction,
        scope: &mut Scope<'_>,
    ) {
        self.last_seen = segment.at;
        let way = self.way_mut(direction);
        way.cell = segment.cell;
        if segment.len > 0 && segment.socket_cookie != 0 {
            way.sent_by(segment.socket_cookie);
        }
        if segment.flags.contains(TcpFlags::SYN) {
            self.note_syn(segment, direction);
        }
        if matches!(self.protocol, Protocol::Other) && !segment.flags.contains(TcpFlags::SYN) {
            self.note_end(segment, direction);
        } else {
            if segment.flags.contains(TcpFlags::ACK) {
                self.reassemble(direction.reversed(), scope, |reassembly, give| {
                    reassembly.acknowledged(segment.ack, give);
                });
            }
            let mut arrival = Arrival::InOrder;
            self.reassemble(direction, scope, |reassembly, give| {
                arrival = reassembly.push(segment, give);
            });
            scope.shared.account.arrived(arrival);
        }
        self.advise(direction, scope);
    }

    fn note_syn(&mut self, segment: &Segment<'_>, direction: Direction) {
        let known = self.way(direction).reassembly.isn().is_some();
        let answered = self.way(direction.reversed()).reassembly.isn().is_some();
        match segment.flags.contains(TcpFlags::ACK) {
            _ if known => {}
            true => self.client = Some(direction.reversed()),
            false if answered => self.client = None, // both have called: what they say will tell
            false => self.client = Some(direction),
        }
        self.whole |= self.way(direction).reassembly.next().is_none();
    }

    /// Takes the reassembly out while it gives chunks, as they change the rest of the flow.
    fn reassemble(
        &mut self,
        direction: Direction,
        scope: &mut Scope<'_>,
        work: impl FnOnce(&mut Reassembly, &mut dyn FnMut(Chunk<'_>)),
    ) {
        let mut reassembly = std::mem::take(&mut self.way_mut(direction).reassembly);
        work(&mut reassembly, &mut |chunk| self.chunk(direction, chunk, scope));
        self.way_mut(direction).reassembly = reassembly;
    }

    /// Of a connection that is not read, only its end is of interest.
    fn note_end(&mut self, segment: &Segment<'_>, direction: Direction) {
        if segment.flags.contains(TcpFlags::RST) {
            self.reset_by.get_or_insert(direction);
            self.closed_at.get_or_insert(segment.at);
        } else if segment.flags.contains(TcpFlags::FIN) {
            self.note_finished(direction, segment.at);
        }
    }

    fn note_finished(&mut self, direction: Direction, at: Timestamp) {
        self.way_mut(direction).finished = true;
        if self.low_to_high.finished && self.high_to_low.finished {
            self.closed_at.get_or_insert(at);
        }
    }

    /// Gives up holes that have lasted too long, and gives exchanges that have.
    pub(super) fn expire(&mut self, now: Timestamp, scope: &mut Scope<'_>) {
        for direction in [Direction::LowToHigh, Direction::HighToLow] {
            if self.way(direction).reassembly.held_bytes() > 0 {
                self.reassemble(direction, scope, |reassembly, give| reassembly.expire(now, give));
            }
        }
        let limit = Timestamp(now.0.saturating_sub(OPEN_MAX_NS));
        self.converse(Direction::LowToHigh, scope, |conversation, _, steps| {
            conversation.give_overdue(limit, steps);
        });
    }

    /// The flow is forgotten: gives what is not over.
    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        self.take_all_waiting(scope);
        // A response tells that its request is whole, so what is held of requests goes first.
        let first = self.client.unwrap_or(Direction::LowToHigh);
        for direction in [first, first.reversed()] {
            self.reassemble(direction, scope, Reassembly::give_up_holes);
        }
        let closed = self.closed_at.is_some();
        self.fail(if closed { Failure::ConnectionClosed } else { Failure::Unfinished }, scope);
    }

    /// Gives back memory, and is read on as if it had been joined here.
    pub(super) fn shed(&mut self, scope: &mut Scope<'_>) {
        self.take_all_waiting(scope);
        self.low_to_high.reassembly.forget_held();
        self.high_to_low.reassembly.forget_held();
        self.converse(Direction::LowToHigh, scope, |conversation, _, steps| {
            conversation.shed(steps);
        });
        self.whole = false;
    }

    fn chunk(&mut self, direction: Direction, chunk: Chunk<'_>, scope: &mut Scope<'_>) {
        match chunk {
            Chunk::Data(bytes, at) => self.data(direction, bytes, at, scope),
            Chunk::Gap(len) => self.gap(direction, len, scope),
            Chunk::Fin(at) => {
                self.converse(direction, scope, |conversation, side, steps| {
                    conversation.fin(side, at, steps);
                });
                self.note_finished(direction, at);
            }
            Chunk::Rst(at) => {
                self.reset_by.get_or_insert(direction);
                self.closed_at.get_or_insert(at);
                self.fail(Failure::ConnectionReset, scope);
            }
        }
    }

    fn gap(&mut self, direction: Direction, len: u64, scope: &mut Scope<'_>) {
        let at = self.last_seen;
        if matches!(self.protocol, Protocol::Unknown(_)) {
            self.whole = false;
            self.missed = Some(direction);
            self.way_mut(direction).begun = None;
        }
        self.converse(direction, scope, |conversation, side, steps| {
            conversation.gap(side, len, at, steps);
        });
    }

    fn fail(&mut self, failure: Failure, scope: &mut Scope<'_>) {
        self.converse(Direction::LowToHigh, scope, |conversation, _, steps| {
            conversation.fail(failure, steps);
        });
    }

    fn data(&mut self, direction: Direction, bytes: &[u8], at: Timestamp, scope: &mut Scope<'_>) {
        match self.protocol {
            Protocol::Unknown(_) if self.whole && self.client.is_some() => {
                self.begin(direction, bytes, at, scope);
            }
            Protocol::Unknown(probes) => self.join(direction, bytes, at, probes, scope),
            Protocol::Known(_) => self.talk(direction, bytes, at, scope),
            Protocol::Other => {}
        }
    }

    fn talk(&mut self, direction: Direction, bytes: &[u8], at: Timestamp, scope: &mut Scope<'_>) {
        let mut fate = Fate::GoesOn;
        self.converse(direction, scope, |conversation, side, steps| {
            fate = conversation.data(side, bytes, at, steps);
        });
        match fate {
            Fate::GoesOn => {}
            Fate::Over => self.end_talk(Protocol::Other, scope),
            Fate::Becomes { next, unread } => {
                self.protocol = Protocol::Known(next);
                self.go_on(direction, bytes, unread, at, scope);
            }
            Fate::NotThisProtocol => self.give_up_begin(scope),
            Fate::Tunnel { unread, exchanges } => {
                self.end_talk(Protocol::Unknown(0), scope);
                self.first_index += exchanges;
                self.go_on(direction, bytes, unread, at, scope);
            }
        }
    }

    /// Shows the last bytes, which are `unread`, to what a conversation has given way to.
    fn go_on(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        unread: usize,
        at: Timestamp,
        scope: &mut Scope<'_>,
    ) {
        if let Some(rest @ [_, ..]) = bytes.get(bytes.len().saturating_sub(unread)..) {
            self.data(direction, rest, at, scope);
        }
    }

    fn end_talk(&mut self, next: Protocol, scope: &mut Scope<'_>) {
        self.fail(Failure::Unfinished, scope);
        self.protocol = next;
    }

    /// Which side sends in `direction`.
    fn side(&self, direction: Direction) -> Side {
        if self.client == Some(direction) { Side::Client } else { Side::Server }
    }

    /// Lets the conversation, if there is one, work, and gives what it found.
    fn converse(
        &mut self,
        direction: Direction,
        scope: &mut Scope<'_>,
        work: impl FnOnce(&mut dyn Conversation, Side, &mut Vec<Step>),
    ) {
        let Some(client) = self.client else { return };
        let side = self.side(direction);
        let Protocol::Known(conversation) = &mut self.protocol else { return };
        let mut steps = std::mem::take(&mut scope.shared.steps);
        work(&mut **conversation, side, &mut steps);
        for step in steps.drain(..) {
            self.step(step, client, scope);
        }
        scope.shared.steps = steps;
    }
}
