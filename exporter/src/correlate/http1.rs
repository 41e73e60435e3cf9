//! Which HTTP/1 response answers which request (RFC 9112 section 9.3): first in, first out.
//!
//! Nothing is paired across a loss. A lost message is known only by the hole it leaves, and how
//! many messages a hole held is unknown, so a connection is believed to be in step only where
//! nothing is outstanding: after a loss, requests and responses are given on their own until one
//! request has been asked after an answer was seen. A client that pipelines is never known to
//! have nothing outstanding: on its connection pairing ends with the first loss, for good.

mod half;
mod pairing;

use std::collections::VecDeque;

use crate::exchange::Failure;
use crate::flow::{Side, Timestamp};
use crate::http::{MessageEnd, Request, Response};
use crate::parse::Parsed;
use crate::parse::http1::{Gap, Malformed, Part};
use crate::stats::{Cause, Unit};

use super::conversation::{Conversation, Fate, Wants};
use super::http2::Http2;
use super::messages::{Messages, Step, give};
use half::Half;
use pairing::Pairing;

/// Requests that may wait for their responses; no client has so many on one connection.
const PENDING_MAX: usize = 1024;
/// Interim responses that are kept of one exchange.
const INTERIM_MAX: usize = 16;

/// A request that has no response yet.
#[derive(Debug)]
enum Waiting {
    Kept(Box<Messages>),
    /// It was given without its response, which is told by this method.
    Given(Vec<u8>),
}

/// Both directions of one connection.
#[derive(Debug)]
pub(super) struct Http1 {
    requests: Half,
    responses: Half,
    /// Requests without a response, oldest first.
    pending: VecDeque<Waiting>,
    /// The exchange whose response has begun.
    answering: Option<Box<Messages>>,
    /// The request whose head was read last, until its end.
    sending: Option<u64>,
    asked: u64,
    /// A request to CONNECT was granted (RFC 9110 section 9.3.6).
    tunnel: bool,
    pipelined: bool,
    pairing: Pairing,
    /// When it was last noticed that responses were lost.
    responses_lost_at: Option<Timestamp>,
    /// What `pending` and `answering` cost.
    kept: usize,
}

impl Http1 {
    /// A connection whose first bytes were seen.
    pub(super) fn new() -> Self {
        Self::with(Half::new, Pairing::InStep, 0)
    }

    /// A connection that was joined in mid-stream, after `asked` requests; `lost`: others may wait
    /// for their responses.
    pub(super) fn joined(asked: u64, lost: bool) -> Self {
        let pairing = if lost { Pairing::Ahead } else { Pairing::Presumed };
        Self::with(Half::joined, pairing, asked)
    }

    fn with(half: fn(Side) -> Half, pairing: Pairing, asked: u64) -> Self {
        Self {
            requests: half(Side::Client),
            responses: half(Side::Server),
            pending: VecDeque::new(),
            answering: None,
            sending: None,
            asked,
            tunnel: false,
            pipelined: false,
            pairing,
            responses_lost_at: None,
            kept: 0,
        }
    }

    /// Whether bytes of this side are to be expected that are no content.
    fn expects_more(&self, side: Side) -> bool {
        side == Side::Client
            || self.responses.stream.in_head()
            || self.answering.is_some()
            || !self.pending.is_empty()
    }

    fn half(&self, side: Side) -> &Half {
        match side {
            Side::Client => &self.requests,
            Side::Server => &self.responses,
        }
    }

    fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.requests,
            Side::Server => &mut self.responses,
        }
    }

    /// Bytes were no head as far as could be told, and may have been part of one.
    fn passed_over(&mut self, side: Side, steps: &mut Vec<Step>) {
        if side == Side::Client {
            self.requests_lost(false);
        } else if !self.pending.is_empty() {
            self.suspend(steps);
        }
    }

    fn part(&mut self, side: Side, part: Part, steps: &mut Vec<Step>) {
        match part {
            Part::Request(request) => self.ask(request, steps),
            Part::Response(response) => self.answer(response, steps),
            Part::End(end) if side == Side::Client => self.request_ended(end),
            Part::End(end) => self.response_ended(end, steps),
            Part::Malformed(Malformed::Head) => {
                steps.push(Step::Lost(Unit::Http, Cause::Malformed));
                self.lost(side, false, steps);
            }
            Part::Malformed(Malformed::Body) => self.lost(side, true, steps),
        }
    }

    fn ask(&mut self, request: Request, steps: &mut Vec<Step>) {
        self.requests.read_head(true);
        let unasked = self.answering.as_ref().is_some_and(|messages| messages.request.is_none());
        if unasked {
            // Without its request, the response was framed by guess (RFC 9112 section 6.3).
            self.settle_answering(None, steps);
            self.responses = Half::joined(Side::Server);
        }
        let overlaps = !self.pending.is_empty() || self.answering.is_some();
        self.step_pairing(overlaps, steps);
        self.step_late(&request, steps);
        self.pipelined |= overlaps;
        let index = self.next_index();
        self.sending = Some(index);
        let messages = Box::new(Messages { index, request: Some(request), ..Messages::default() });
        if self.pairing == Pairing::InStep || self.pairing == Pairing::Presumed {
            self.kept += messages.cost();
            self.pending.push_back(Waiting::Kept(messages));
            steps.push(Step::Asked(index));
        } else {
            give(messages, Some(Failure::Gap), steps);
        }
    }

    /// What a new request tells of whether its response will be known.
    fn step_pairing(&mut self, overlaps: bool, steps: &mut Vec<Step>) {
        match self.pairing {
            Pairing::InStep if self.pending.len() >= PENDING_MAX => self.suspend(steps),
            Pairing::Presumed if overlaps => self.suspend(steps),
            Pairing::Ahead => self.suspend(steps),
            Pairing::Suspended { answered: true } => self.pairing = Pairing::Presumed,
            Pairing::Suspended { answered: false } => self.pairing = Pairing::Over,
            Pairing::InStep | Pairing::Presumed | Pairing::Over => {}
        }
    }

    /// A request that was held behind a hole while responses were lost may have been answered by
    /// one of them.
    fn step_late(&mut self, request: &Request, steps: &mut Vec<Step>) {
        let sent = request.timing.first_byte;
        if self.responses_lost_at.is_some_and(|lost| sent < lost) && self.pairing != Pairing::Over {
            self.suspend(steps);
            self.answered_suspended();
        }
    }

    fn answered_suspended(&mut self) {
        if let Pairing::Suspended { answered } = &mut self.pairing {
            *answered = true;
        }
    }

    fn next_index(&mut self) -> u64 {
        let index = self.asked;
        self.asked += 1;
        index
    }

    fn request_ended(&mut self, end: MessageEnd) {
        self.requests.open = false;
        let Some(index) = self.sending.take() else { return };
        let cost = end.trailers.byte_len();
        let last = match self.pending.back_mut() {
            Some(Waiting::Kept(messages)) => Some(messages),
            Some(Waiting::Given(_)) => None,
            None => self.answering.as_mut(),
        };
        if let Some(messages) = last.filter(|messages| messages.index == index) {
            messages.request_end = Some(end);
            self.kept += cost;
        }
    }

    fn answer(&mut self, response: Response, steps: &mut Vec<Step>) {
        // A response whose end was not seen is over when the next one begins.
        if self.answering.as_ref().is_some_and(|messages| messages.response.is_some()) {
            self.settle_answering(None, steps);
        }
        let status = response.status;
        let is_interim = (100..200).contains(&status) && status != 101;
        self.responses.read_head(!is_interim);
        if is_interim {
            return self.answer_for_now(response);
        }
        let mut messages = self.answering.take().unwrap_or_else(|| self.answered());
        self.kept += head_cost(&response);
        messages.response = Some(response);
        self.answering = Some(messages);
        if self.responses.stream.is_upgraded() {
            self.tunnel = status != 101;
            if !self.switches_to_http2() {
                self.settle_answering(None, steps);
            }
        }
    }

    /// Whether the response just read switches to HTTP/2, where the final response is to come.
    fn switches_to_http2(&self) -> bool {
        let response = self.answering.as_ref().and_then(|messages| messages.response.as_ref());
        response.is_some_and(Http2::is_switched_to)
    }

    /// What comes behind the last message of HTTP/1, of which so many bytes were not read.
    fn end(&mut self, unread: usize, steps: &mut Vec<Step>) -> Fate {
        if self.switches_to_http2()
            && let Some(messages) = self.answering.take()
        {
            self.flush(Failure::Unfinished, steps);
            let next = Box::new(Http2::upgraded(messages, self.asked));
            return Fate::Becomes { next, unread };
        }
        match self.asked {
            exchanges if self.tunnel => Fate::Tunnel { unread, exchanges },
            0 => Fate::NotThisProtocol,
            _ => Fate::Over,
        }
    }

    /// An interim response, to be followed by the final one.
    fn answer_for_now(&mut self, response: Response) {
        if self.pending.is_empty() && self.answering.is_none() {
            self.answered_unasked();
            self.answering = Some(self.unasked());
        }
        let messages = match self.pending.front_mut() {
            Some(Waiting::Kept(front)) => Some(front),
            Some(Waiting::Given(_)) => None,
            None => self.answering.as_mut(),
        };
        if let Some(messages) = messages.filter(|messages| messages.interim.len() < INTERIM_MAX) {
            self.kept += head_cost(&response);
            messages.interim.push(response);
        }
    }

    /// The messages of the request that a final response answers.
    fn answered(&mut self) -> Box<Messages> {
        match self.pending.pop_front() {
            Some(Waiting::Kept(messages)) => {
                self.frame_answer_to(messages.request.as_ref().map(|r| r.method.as_slice()));
                if self.pairing == Pairing::Presumed {
                    self.pairing = Pairing::InStep;
                }
                messages
            }
            Some(Waiting::Given(method)) => {
                self.frame_answer_to(Some(&method));
                self.unasked()
            }
            None => {
                self.answered_unasked();
                self.unasked()
            }
        }
    }

    fn frame_answer_to(&mut self, method: Option<&[u8]>) {
        self.responses.stream.answers(method);
    }

    /// A response without a request that waits: the request was lost, or is not complete.
    fn answered_unasked(&mut self) {
        self.pairing = match self.pairing {
            _ if self.requests.stream.in_head() => Pairing::Suspended { answered: false },
            Pairing::Ahead => Pairing::Presumed,
            Pairing::Suspended { .. } => Pairing::Suspended { answered: true },
            other => other,
        };
    }

    /// The request of this response was not captured, or given before.
    fn unasked(&mut self) -> Box<Messages> {
        let messages = Box::new(Messages { index: self.next_index(), ..Messages::default() });
        self.kept += messages.cost();
        messages
    }

    fn response_ended(&mut self, end: MessageEnd, steps: &mut Vec<Step>) {
        self.responses.open = false;
        if let Some(messages) = self.answering.as_mut() {
            messages.response_end = Some(end);
        }
        self.settle_answering(None, steps);
    }

    fn settle_answering(&mut self, failure: Option<Failure>, steps: &mut Vec<Step>) {
        if let Some(messages) = self.answering.take() {
            self.kept -= messages.cost();
            give(messages, failure, steps);
        }
    }

    fn flush(&mut self, failure: Failure, steps: &mut Vec<Step>) {
        for waiting in std::mem::take(&mut self.pending) {
            if let Waiting::Kept(messages) = waiting {
                self.kept -= messages.cost();
                give(messages, Some(failure), steps);
            }
        }
    }

    /// Gives what is whole of a head that will never be.
    fn give_cut_head(&mut self, side: Side, failure: Failure, steps: &mut Vec<Step>) {
        match self.half_mut(side).stream.cut_head() {
            Some(Part::Request(request)) => {
                let (index, request) = (self.next_index(), Some(request));
                let messages = Messages { index, request, ..Messages::default() };
                give(Box::new(messages), Some(failure), steps);
            }
            Some(Part::Response(response)) => {
                self.answer(response, steps);
                self.settle_answering(Some(failure), steps);
            }
            _ => {}
        }
    }

    /// Messages of one side may have been lost. `body`: the last message's own bytes were.
    fn lost(&mut self, side: Side, body: bool, steps: &mut Vec<Step>) {
        self.half_mut(side).lost();
        if self.pipelined {
            self.suspend(steps);
        } else if side == Side::Server {
            self.responses_lost(steps);
        } else {
            self.requests_lost(body);
        }
    }

    fn responses_lost(&mut self, steps: &mut Vec<Step>) {
        self.settle_answering(Some(Failure::Gap), steps);
        self.flush(Failure::Gap, steps);
        if self.pairing == Pairing::InStep {
            self.pairing = Pairing::Presumed;
        }
        self.answered_suspended();
    }

    fn requests_lost(&mut self, body: bool) {
        let own = body && self.sending.is_some() && !self.pending.is_empty();
        self.sending = None;
        self.pairing = match self.pairing {
            Pairing::InStep | Pairing::Presumed if own => Pairing::Presumed,
            Pairing::Over => Pairing::Over,
            _ => Pairing::Ahead,
        };
    }

    /// Gives everything on its own from here.
    fn suspend(&mut self, steps: &mut Vec<Step>) {
        self.settle_answering(Some(Failure::Gap), steps);
        self.flush(Failure::Gap, steps);
        self.pairing = match self.pipelined {
            true => Pairing::Over,
            false => Pairing::Suspended { answered: false },
        };
    }
}

/// About what a response's head costs.
fn head_cost(response: &Response) -> usize {
    usize::try_from(response.head_size).unwrap_or(usize::MAX)
}

impl Conversation for Http1 {
    fn data(&mut self, side: Side, mut bytes: &[u8], at: Timestamp, steps: &mut Vec<Step>) -> Fate {
        let len = bytes.len();
        loop {
            match self.half_mut(side).stream.read(&mut bytes, at) {
                Parsed::NeedMore => break,
                Parsed::NotThisProtocol => return self.end(bytes.len(), steps),
                Parsed::Message(part) => self.part(side, part, steps),
            }
        }
        if self.half_mut(side).took(len) {
            self.passed_over(side, steps);
        }
        Fate::GoesOn
    }

    fn gap(&mut self, side: Side, len: u64, at: Timestamp, steps: &mut Vec<Step>) {
        self.give_cut_head(side, Failure::Gap, steps);
        match self.half_mut(side).stream.gap(len) {
            // Its end may have lain in the gap.
            Gap::InBody => {
                self.data(side, &[], at, steps);
            }
            gap => {
                if side == Side::Server {
                    self.responses_lost_at = Some(at);
                }
                self.lost(side, gap == Gap::CutBody, steps);
            }
        }
    }

    fn fin(&mut self, side: Side, at: Timestamp, steps: &mut Vec<Step>) {
        self.give_cut_head(side, Failure::ConnectionClosed, steps);
        let end = self.half_mut(side).stream.finish(at);
        self.half_mut(side).buffered = 0;
        if side == Side::Client {
            return;
        }
        if let Some(end) = end {
            self.response_ended(end, steps);
        }
        self.fail(Failure::ConnectionClosed, steps);
    }

    fn fail(&mut self, failure: Failure, steps: &mut Vec<Step>) {
        self.give_cut_head(Side::Server, failure, steps);
        self.settle_answering(Some(failure), steps);
        self.flush(failure, steps);
        self.give_cut_head(Side::Client, failure, steps);
    }

    fn give_overdue(&mut self, limit: Timestamp, steps: &mut Vec<Step>) {
        let overdue = |messages: &Messages| messages.start().is_none_or(|start| start < limit);
        if self.answering.as_deref().is_some_and(overdue) {
            self.settle_answering(Some(Failure::Unfinished), steps);
        }
        for waiting in &mut self.pending {
            let Waiting::Kept(messages) = waiting else { continue };
            if !overdue(messages) {
                break;
            }
            let method = messages.request.as_ref().map(|request| request.method.clone());
            let given = Waiting::Given(method.unwrap_or_default());
            if let Waiting::Kept(messages) = std::mem::replace(waiting, given) {
                self.kept -= messages.cost();
                give(messages, Some(Failure::Unfinished), steps);
            }
        }
    }

    fn shed(&mut self, steps: &mut Vec<Step>) {
        self.fail(Failure::Unfinished, steps);
        let halves = [&self.requests, &self.responses];
        let open_heads = halves.iter().filter(|half| half.stream.in_head());
        steps.extend(open_heads.map(|_| Step::Lost(Unit::Http, Cause::TableFull)));
        *self = Self::joined(self.asked, false);
    }

    fn wants(&self, side: Side) -> Wants {
        match self.half(side).stream.skippable() {
            0 if self.expects_more(side) => Wants::More,
            0 => Wants::Turn,
            bytes => Wants::Skip(bytes),
        }
    }

    fn cost(&self) -> usize {
        self.kept + self.requests.buffered + self.responses.buffered
    }

    fn waiting(&mut self, index: u64) -> Option<&mut Messages> {
        self.pending.iter_mut().rev().find_map(|waiting| match waiting {
            Waiting::Kept(messages) if messages.index == index => Some(&mut **messages),
            _ => None,
        })
    }
}
