//! Which HTTP/1 response answers which request (RFC 9112 section 9.3): first in, first out.
//!
//! Nothing is paired across a loss: requests that wait when responses were lost are given as they
//! are, and on a connection that pipelines, where a lost request would shift every later pair,
//! pairing ends for good.

use std::collections::VecDeque;

use crate::exchange::Failure;
use crate::flow::Timestamp;
use crate::http::{MessageEnd, Request, Response};
use crate::parse::Parsed;
use crate::parse::http1::{Gap, Malformed, Part, Side, Stream};

/// A request or a response that is lost is told apart from its connection by nothing but its
/// place, so this many may wait for an answer.
const PENDING_MAX: usize = 1024;

/// The messages of one exchange.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) index: u64,
    pub(super) request: Option<Request>,
    pub(super) request_end: Option<MessageEnd>,
    pub(super) response: Option<Response>,
    pub(super) response_end: Option<MessageEnd>,
    pub(super) interim: Vec<Response>,
    pub(super) failure: Option<Failure>,
}

/// What the pair found.
#[derive(Debug)]
pub(super) enum Step {
    /// A request's head is complete; its exchange follows later.
    Asked(u64),
    /// An exchange is over.
    Exchange(Box<Messages>),
    /// A head was no HTTP, or larger than is read: an exchange that will not be given.
    Lost,
}

/// Both directions of one connection.
#[derive(Debug)]
pub(super) struct Http1 {
    requests: Stream,
    responses: Stream,
    /// Requests without a response, oldest first.
    pending: VecDeque<Messages>,
    /// The exchange whose response has begun.
    answering: Option<Messages>,
    asked: u64,
    pipelined: bool,
    pairing: bool,
}

impl Http1 {
    /// A connection whose first bytes were seen.
    pub(super) fn new() -> Self {
        Self::with(Stream::new(Side::Request), Stream::new(Side::Response))
    }

    /// A connection that was joined in mid-stream.
    pub(super) fn joined() -> Self {
        Self::with(Stream::joined(Side::Request), Stream::joined(Side::Response))
    }

    fn with(requests: Stream, responses: Stream) -> Self {
        Self {
            requests,
            responses,
            pending: VecDeque::new(),
            answering: None,
            asked: 0,
            pipelined: false,
            pairing: true,
        }
    }

    /// Whether this is another protocol now.
    pub(super) fn is_upgraded(&self) -> bool {
        self.responses.is_upgraded()
    }

    /// How many of the next bytes of this side nobody needs.
    pub(super) fn skippable(&self, side: Side) -> u64 {
        self.stream(side).skippable()
    }

    /// Whether a head of this side has begun and is not complete.
    pub(super) fn in_head(&self, side: Side) -> bool {
        self.stream(side).in_head()
    }

    /// A request that has been asked and whose exchange is not over.
    pub(super) fn request(&self, index: u64) -> Option<&Request> {
        let waiting = self.pending.iter().rev().chain(&self.answering);
        waiting.into_iter().find(|messages| messages.index == index)?.request.as_ref()
    }

    fn stream(&self, side: Side) -> &Stream {
        match side {
            Side::Request => &self.requests,
            Side::Response => &self.responses,
        }
    }

    /// Takes bytes of one side. `false`: this is not HTTP/1, or no longer.
    pub(super) fn data(
        &mut self,
        side: Side,
        mut bytes: &[u8],
        at: Timestamp,
        steps: &mut Vec<Step>,
    ) -> bool {
        loop {
            let stream = match side {
                Side::Request => &mut self.requests,
                Side::Response => &mut self.responses,
            };
            match stream.read(&mut bytes, at) {
                Parsed::NeedMore => return true,
                Parsed::NotThisProtocol => return false,
                Parsed::Message(part) => self.part(side, part, steps),
            }
        }
    }

    fn part(&mut self, side: Side, part: Part, steps: &mut Vec<Step>) {
        match part {
            Part::Request(request) => self.ask(request, steps),
            Part::Response(response) => self.answer(response, steps),
            Part::End(end) if side == Side::Request => self.request_ended(end),
            Part::End(end) => self.response_ended(end, steps),
            Part::Malformed(Malformed::Head) => {
                steps.push(Step::Lost);
                self.lost(side, steps);
            }
            Part::Malformed(Malformed::Body) => self.lost(side, steps),
        }
    }

    fn ask(&mut self, request: Request, steps: &mut Vec<Step>) {
        self.pipelined |= !self.pending.is_empty();
        let index = self.asked;
        self.asked += 1;
        let messages = Messages { index, request: Some(request), ..Messages::default() };
        self.pending.push_back(messages);
        steps.push(Step::Asked(index));
        if self.pending.len() > PENDING_MAX || !self.pairing {
            self.flush_oldest(steps);
        }
    }

    fn request_ended(&mut self, end: MessageEnd) {
        let last = self.asked.wrapping_sub(1);
        let open = self.pending.back_mut().or(self.answering.as_mut());
        if let Some(messages) = open.filter(|m| m.index == last && m.request.is_some()) {
            messages.request_end = Some(end);
        }
    }

    fn answer(&mut self, response: Response, steps: &mut Vec<Step>) {
        // A response whose end was not seen is over when the next one begins.
        self.settle_answering(None, steps);
        let interim = (100..200).contains(&response.status) && response.status != 101;
        if interim {
            if let Some(front) = self.pending.front_mut() {
                front.interim.push(response);
            }
            return;
        }
        let mut messages = self.pending.pop_front().unwrap_or_else(|| self.unasked());
        let method = messages.request.as_ref().map(|request| request.method.as_slice());
        self.responses.answers(method);
        messages.response = Some(response);
        self.answering = Some(messages);
        if self.is_upgraded() {
            self.settle_answering(None, steps);
        }
    }

    /// The request of this response was not captured.
    fn unasked(&mut self) -> Messages {
        let index = self.asked;
        self.asked += 1;
        Messages { index, ..Messages::default() }
    }

    fn response_ended(&mut self, end: MessageEnd, steps: &mut Vec<Step>) {
        if let Some(messages) = self.answering.as_mut() {
            messages.response_end = Some(end);
        }
        self.settle_answering(None, steps);
    }

    fn settle_answering(&mut self, failure: Option<Failure>, steps: &mut Vec<Step>) {
        if let Some(messages) = self.answering.take() {
            steps.push(Step::Exchange(Box::new(Messages { failure, ..messages })));
        }
    }

    fn flush_oldest(&mut self, steps: &mut Vec<Step>) {
        if let Some(messages) = self.pending.pop_front() {
            let messages = Messages { failure: Some(Failure::Gap), ..messages };
            steps.push(Step::Exchange(Box::new(messages)));
        }
    }

    /// `len` bytes of one side were not captured.
    pub(super) fn gap(&mut self, side: Side, len: u64, at: Timestamp, steps: &mut Vec<Step>) {
        let stream = match side {
            Side::Request => &mut self.requests,
            Side::Response => &mut self.responses,
        };
        if stream.gap(len) == Gap::InBody {
            // Its end may have lain in the gap.
            self.data(side, &[], at, steps);
        } else {
            self.lost(side, steps);
        }
    }

    fn lost(&mut self, side: Side, steps: &mut Vec<Step>) {
        if side == Side::Response {
            self.settle_answering(None, steps);
        }
        if side == Side::Response || self.pipelined {
            while !self.pending.is_empty() {
                self.flush_oldest(steps);
            }
        }
        self.pairing &= !self.pipelined;
    }

    /// One side has closed in order.
    pub(super) fn fin(&mut self, side: Side, at: Timestamp, steps: &mut Vec<Step>) {
        if side == Side::Request {
            self.requests.finish(at);
            return;
        }
        match self.responses.finish(at) {
            Some(end) => self.response_ended(end, steps),
            None => self.fail(Failure::ConnectionClosed, steps),
        }
        self.fail(Failure::ConnectionClosed, steps);
    }

    /// No more will come: gives everything that is not over, for this reason.
    pub(super) fn fail(&mut self, failure: Failure, steps: &mut Vec<Step>) {
        self.settle_answering(Some(failure), steps);
        for messages in std::mem::take(&mut self.pending) {
            let messages = Messages { failure: Some(failure), ..messages };
            steps.push(Step::Exchange(Box::new(messages)));
        }
    }
}
