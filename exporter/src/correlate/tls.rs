//! Which ServerHello, HelloRetryRequest or alert answers which ClientHello.
//!
//! An answer belongs to the last ClientHello that was whole before it began: a client says hello
//! a second time only when it was asked to. Nothing is paired across a loss. After the
//! ServerHello everything is encrypted, or tells nothing that is read here: the conversation is
//! over.

use std::collections::VecDeque;

use crate::exchange::Failure;
use crate::flow::{Side, Timestamp};
use crate::parse::Parsed;
use crate::parse::tls::{Gap, Part, Stream};
use crate::stats::{Cause, Unit};
use crate::tls::{Alert, ClientHello, ServerHello};

use super::conversation::{Conversation, Fate, Wants};
use super::messages::{Messages, Step};

/// ClientHellos that may wait for their answers; no client has more than one.
const ASKED_MAX: usize = 4;

/// A ClientHello and what answered it, on their way to being a record.
#[derive(Debug)]
pub(super) struct Hellos {
    /// The side that sends ClientHellos.
    pub(super) caller: Side,
    pub(super) client_hello: Option<Box<ClientHello>>,
    pub(super) server_hello: Option<Box<ServerHello>>,
    pub(super) alert: Option<Alert>,
    pub(super) failure: Option<Failure>,
}

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Tls {
    client: Stream,
    server: Stream,
    /// The side that sends ClientHellos, as the first hello told. It need not be the one that
    /// opened the connection (RFC 4217 section 7).
    caller: Option<Side>,
    asked: VecDeque<Box<ClientHello>>,
    /// An answer that was captured before the ClientHello.
    early: Option<Box<ServerHello>>,
    /// An alert that does not end the handshake (RFC 6066 section 3).
    warning: Option<Alert>,
    /// The client was asked to say hello again.
    retried: bool,
    /// A ClientHello was lost: what the next answer answers is not known.
    missed: bool,
    /// The caller has gone on, so there was an answer.
    past: bool,
    over: bool,
}

impl Tls {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A connection joined in mid-stream.
    pub(super) fn joined() -> Self {
        Self { client: Stream::joined(), server: Stream::joined(), ..Self::default() }
    }

    fn stream(&mut self, side: Side) -> &mut Stream {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn part(&mut self, side: Side, part: Part, at: Timestamp, steps: &mut Vec<Step>) {
        match part {
            Part::ClientHello(hello) => self.ask(side, hello, steps),
            Part::ServerHello(hello) => self.answer(side, hello, steps),
            Part::Alert(level, description) => {
                let sender = if self.is_caller(side) { Side::Client } else { Side::Server };
                self.alert(Alert { sender, level, description, at }, steps);
            }
            Part::Malformed => {
                steps.push(Step::Lost(Unit::Tls, Cause::Malformed));
                self.lose(side, Failure::ProtocolError, steps);
                self.over |= self.is_answerer(side);
            }
            Part::Past => self.pass(side, steps),
        }
    }

    fn is_caller(&self, side: Side) -> bool {
        self.caller == Some(side)
    }

    fn is_answerer(&self, side: Side) -> bool {
        self.caller.is_some_and(|caller| caller != side)
    }

    fn ask(&mut self, side: Side, hello: Box<ClientHello>, steps: &mut Vec<Step>) {
        self.caller = Some(side);
        match self.early.take() {
            Some(answer) if answers(&answer, &hello) => {
                return self.give_answered(Some(hello), answer, steps);
            }
            Some(answer) => self.give_answered(None, answer, steps),
            None => {}
        }
        self.asked.push_back(hello);
        if self.over {
            self.give_asked(Failure::Gap, steps);
        } else if self.asked.len() > ASKED_MAX {
            let oldest = self.asked.pop_front();
            self.give(oldest, None, None, Some(Failure::Unfinished), steps);
        }
    }

    fn answer(&mut self, side: Side, answer: Box<ServerHello>, steps: &mut Vec<Step>) {
        self.caller = Some(other(side));
        if self.missed {
            self.give_asked(Failure::Gap, steps);
        }
        let asked = self.asked.iter().rposition(|hello| answers(&answer, hello));
        if let Some(at) = asked {
            let later = self.asked.split_off(at + 1);
            let hello = self.asked.pop_back();
            self.give_asked(Failure::Gap, steps);
            self.asked = later;
            self.give_answered(hello, answer, steps);
        } else if self.missed || self.past {
            self.give_answered(None, answer, steps);
        } else if let Some(earlier) = self.early.replace(answer) {
            self.give_answered(None, earlier, steps);
        }
    }

    fn alert(&mut self, alert: Alert, steps: &mut Vec<Step>) {
        if !alert.is_final() {
            self.warning.get_or_insert(alert);
            return;
        }
        if let Some(hello) = self.asked.pop_back() {
            self.give_asked(Failure::Gap, steps);
            self.give(Some(hello), None, Some(alert), None, steps);
        }
        self.over = true;
    }

    /// A hello of this side was lost.
    fn lose(&mut self, side: Side, failure: Failure, steps: &mut Vec<Step>) {
        if self.is_answerer(side) {
            self.give_asked(failure, steps);
        } else {
            self.missed = true;
        }
    }

    /// This side is past its hellos.
    fn pass(&mut self, side: Side, steps: &mut Vec<Step>) {
        if self.is_caller(side) {
            self.past = true;
            self.give_early(steps);
        } else if self.early.is_none() {
            self.give_asked(Failure::Gap, steps);
            self.over = true;
        }
    }

    fn give_early(&mut self, steps: &mut Vec<Step>) {
        if let Some(answer) = self.early.take() {
            self.give_answered(None, answer, steps);
        }
    }

    fn give_answered(
        &mut self,
        hello: Option<Box<ClientHello>>,
        answer: Box<ServerHello>,
        steps: &mut Vec<Step>,
    ) {
        self.retried |= answer.is_retry;
        self.over |= !answer.is_retry;
        self.give(hello, Some(answer), None, None, steps);
        if self.over {
            self.give_asked(Failure::Gap, steps);
        }
    }

    fn give_asked(&mut self, failure: Failure, steps: &mut Vec<Step>) {
        while let Some(hello) = self.asked.pop_front() {
            self.give(Some(hello), None, None, Some(failure), steps);
        }
    }

    fn give(
        &mut self,
        client_hello: Option<Box<ClientHello>>,
        server_hello: Option<Box<ServerHello>>,
        alert: Option<Alert>,
        failure: Option<Failure>,
        steps: &mut Vec<Step>,
    ) {
        let warning = self.warning.take_if(|_| client_hello.is_some());
        steps.push(Step::Handshake(Hellos {
            caller: self.caller.unwrap_or(Side::Client),
            client_hello,
            server_hello,
            alert: alert.or(warning),
            failure,
        }));
    }

    /// Forgets hellos that are not whole.
    fn cut(&mut self, cause: Cause, steps: &mut Vec<Step>) {
        for stream in [&mut self.client, &mut self.server] {
            if stream.in_hello() {
                steps.push(Step::Lost(Unit::Tls, cause));
                *stream = Stream::joined();
            }
        }
    }
}

/// Whether an answer may be one to this hello.
fn answers(answer: &ServerHello, hello: &ClientHello) -> bool {
    answer.timing.first_byte >= hello.timing.complete
}

fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

impl Conversation for Tls {
    fn data(&mut self, side: Side, bytes: &[u8], at: Timestamp, steps: &mut Vec<Step>) -> Fate {
        let mut rest = bytes;
        while !self.over {
            match self.stream(side).read(&mut rest, at) {
                Parsed::Message(part) => self.part(side, part, at, steps),
                Parsed::NeedMore => return Fate::GoesOn,
                Parsed::NotThisProtocol => {
                    self.give_asked(Failure::ProtocolError, steps);
                    self.over = true;
                }
            }
        }
        Fate::Over
    }

    fn gap(&mut self, side: Side, len: u64, _: Timestamp, steps: &mut Vec<Step>) {
        match self.stream(side).gap(len) {
            Gap::CutHello => {
                steps.push(Step::Lost(Unit::Tls, Cause::Gap));
                self.lose(side, Failure::Gap, steps);
            }
            // Data that follow a ClientHello at once are not copied; a second one comes only
            // after a HelloRetryRequest.
            Gap::Between if self.is_caller(side) => self.missed |= self.retried,
            Gap::Between => self.give_asked(Failure::Gap, steps),
        }
    }

    fn fin(&mut self, side: Side, _: Timestamp, steps: &mut Vec<Step>) {
        if self.is_answerer(side) {
            self.fail(Failure::ConnectionClosed, steps);
        }
    }

    fn fail(&mut self, failure: Failure, steps: &mut Vec<Step>) {
        self.give_early(steps);
        self.give_asked(if self.past { Failure::Gap } else { failure }, steps);
        self.cut(Cause::Gap, steps);
    }

    fn give_overdue(&mut self, limit: Timestamp, steps: &mut Vec<Step>) {
        if self.early.as_ref().is_some_and(|answer| answer.timing.first_byte < limit) {
            self.give_early(steps);
        }
        while self.asked.front().is_some_and(|hello| hello.timing.first_byte < limit) {
            let hello = self.asked.pop_front();
            self.give(hello, None, None, Some(Failure::Unfinished), steps);
        }
    }

    fn shed(&mut self, steps: &mut Vec<Step>) {
        self.cut(Cause::TableFull, steps);
        self.fail(Failure::Unfinished, steps);
        *self = Self { caller: self.caller, missed: true, ..Self::joined() };
    }

    fn wants(&self, side: Side) -> Wants {
        let stream = if side == Side::Client { &self.client } else { &self.server };
        match stream.skippable() {
            0 if stream.is_over() => Wants::Turn,
            0 if self.is_caller(side) && !self.asked.is_empty() && !stream.in_hello() => {
                Wants::Turn
            }
            0 => Wants::More,
            bytes => Wants::Skip(bytes),
        }
    }

    fn cost(&self) -> usize {
        let buffered = self.client.buffered() + self.server.buffered();
        let asked: usize = self.asked.iter().map(|hello| hello.cost()).sum();
        buffered + asked + self.early.as_ref().map_or(0, |answer| answer.cost())
    }

    fn waiting(&mut self, _: u64) -> Option<&mut Messages> {
        None
    }
}

#[cfg(test)]
mod tests;
