//! DNS over a connection: many may be asked before the first is answered, and answers come in any
//! order (RFC 7766 section 6.2.1.1).
//!
//! A query waits for as long as the connection lasts: its end tells more than a clock.

use crate::dns::{Failure, Message, Protocol};
use crate::exchange;
use crate::flow::{Side, Timestamp};
use crate::parse::dns::{Frames, Unreadable};
use crate::stats::{Cause, Unit};

use super::super::conversation::{Conversation, Fate, Wants};
use super::super::messages::{Messages, Step};
use super::pairs::{Pairs, Query};
use super::{Found, is_answered};

/// Queries that may wait on one connection.
const QUERIES_MAX: usize = 1024;
/// What they may take of memory.
const QUERIES_MAX_BYTES: usize = 1024 * 1024;

/// Both sides of a connection.
#[derive(Debug)]
pub(in super::super) struct Stream {
    protocol: Protocol,
    client: Frames,
    server: Frames,
    queries: Pairs<u16, Side>,
    /// Responses may have been missed, so one that lacks is nobody's failure.
    has_missed: bool,
}

impl Stream {
    /// A connection whose first bytes were seen.
    pub(in super::super) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            client: Frames::new(protocol),
            server: Frames::new(protocol),
            queries: Pairs::new(QUERIES_MAX, QUERIES_MAX_BYTES),
            has_missed: false,
        }
    }

    /// A connection that was joined in mid-stream.
    pub(in super::super) fn joined(protocol: Protocol) -> Self {
        let (client, server) = (Frames::joined(protocol), Frames::joined(protocol));
        Self { client, server, ..Self::new(protocol) }
    }

    fn frames(&mut self, side: Side) -> &mut Frames {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn message(&mut self, side: Side, message: Message, steps: &mut Vec<Step>) {
        if message.flags.is_response() {
            let query = self.queries.answer(message.id, &message);
            let client = query.as_ref().map_or(side.other(), |query| query.by);
            let query = query.map(|query| query.message);
            let found = Found { query, response: Some(message), ..self.found(client) };
            steps.push(Step::Lookup(Box::new(found)));
        } else if is_answered(&message) {
            if let Some(query) = self.queries.make_room(&message.id) {
                self.give(query, exchange::Failure::Unfinished, steps);
            }
            self.queries.ask(message.id, message, side);
            while let Some(query) = self.queries.over_limits() {
                self.give(query, exchange::Failure::Unfinished, steps);
            }
        } else {
            let found = Found { query: Some(message), ..self.found(side) };
            steps.push(Step::Lookup(Box::new(found)));
        }
    }

    fn found(&self, client: Side) -> Found {
        Found::new(client, self.protocol)
    }

    /// Gives a query without a response.
    fn give(&self, query: Query<u16, Side>, failure: exchange::Failure, steps: &mut Vec<Step>) {
        let failure = if self.has_missed { exchange::Failure::Gap } else { failure };
        let found = Found {
            query: Some(query.message),
            failure: (!query.is_repeated).then_some(Failure::Connection(failure)),
            is_repeated: query.is_repeated,
            ..self.found(query.by)
        };
        steps.push(Step::Lookup(Box::new(found)));
    }

    /// Gives the queries that were asked before `limit`.
    fn flush(&mut self, limit: Timestamp, failure: exchange::Failure, steps: &mut Vec<Step>) {
        while let Some(query) = self.queries.overdue(limit) {
            self.give(query, failure, steps);
        }
    }
}

fn lost(read: Unreadable) -> Step {
    Step::Lost(
        Unit::Dns,
        match read {
            Unreadable::NotCaptured => Cause::Gap,
            Unreadable::Malformed => Cause::Malformed,
        },
    )
}

impl Conversation for Stream {
    fn data(&mut self, side: Side, bytes: &[u8], at: Timestamp, steps: &mut Vec<Step>) -> Fate {
        let mut messages = Vec::new();
        let is_dns = self.frames(side).read(bytes, |read| messages.push(read));
        for read in messages {
            match read {
                Ok(message) => self.message(side, Message { at, ..message }, steps),
                Err(unreadable) => steps.push(lost(unreadable)),
            }
        }
        if is_dns { Fate::GoesOn } else { Fate::Over }
    }

    fn gap(&mut self, side: Side, len: u64, _: Timestamp, steps: &mut Vec<Step>) {
        self.has_missed |= side == Side::Server;
        if self.frames(side).gap(len) {
            steps.push(Step::Lost(Unit::Dns, Cause::Gap));
        }
    }

    fn fin(&mut self, side: Side, _: Timestamp, steps: &mut Vec<Step>) {
        if self.frames(side).finish() {
            steps.push(lost(Unreadable::Malformed));
        }
        if side == Side::Server {
            self.fail(exchange::Failure::ConnectionClosed, steps);
        }
    }

    fn fail(&mut self, failure: exchange::Failure, steps: &mut Vec<Step>) {
        self.flush(Timestamp(u64::MAX), failure, steps);
    }

    fn give_overdue(&mut self, limit: Timestamp, steps: &mut Vec<Step>) {
        self.flush(limit, exchange::Failure::Unfinished, steps);
    }

    fn shed(&mut self, steps: &mut Vec<Step>) {
        for side in [Side::Client, Side::Server] {
            if self.frames(side).finish() {
                steps.push(Step::Lost(Unit::Dns, Cause::TableFull));
            }
        }
        self.fail(exchange::Failure::Unfinished, steps);
        *self = Self::joined(self.protocol);
    }

    fn wants(&self, _: Side) -> Wants {
        Wants::More
    }

    fn cost(&self) -> usize {
        self.queries.cost() + self.client.cost() + self.server.cost()
    }

    fn waiting(&mut self, _: u64) -> Option<&mut Messages> {
        None
    }
}
