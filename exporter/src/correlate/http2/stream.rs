//! One stream of HTTP/2 (RFC 9113 section 8.1): field blocks and content in, the messages of one
//! exchange out.
//!
//! Owns which block is what: heads, interim heads and trailers differ by what they begin with and
//! by their order, and where the order is not known, because something was lost, by what is.

use crate::exchange::Failure;
use crate::fields::Fields;
use crate::flow::{Side, Timestamp};
use crate::http::{MessageEnd, Response};
use crate::parse::http2::{Block, Start};

use super::super::messages::Messages;

/// Interim responses that are kept of one exchange.
const INTERIM_MAX: usize = 16;

/// About what a stream costs beside its heads.
const STREAM_COST_BYTES: usize = size_of::<Stream>() + size_of::<Messages>();

/// The content of one message so far.
#[derive(Debug, Default)]
struct Content {
    size: u64,
    trailers: Fields,
    /// Frames of this side may have been lost since the stream was opened.
    cut: bool,
}

/// A stream that is not over.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) messages: Box<Messages>,
    request: Content,
    response: Content,
    /// What it counts in its connection's costs.
    pub(super) cost: usize,
}

impl Stream {
    /// A stream on which nothing was sent yet.
    pub(super) fn new(id: u32, index: u64) -> Self {
        let stream_id = Some(id);
        Self::of(Box::new(Messages { index, stream_id, ..Messages::default() }))
    }

    /// A stream whose first messages were seen elsewhere.
    pub(super) fn of(messages: Box<Messages>) -> Self {
        Self { messages, request: Content::default(), response: Content::default(), cost: 0 }
    }

    fn content(&mut self, side: Side) -> &mut Content {
        match side {
            Side::Client => &mut self.request,
            Side::Server => &mut self.response,
        }
    }

    /// Frames of this side may have been lost.
    pub(super) fn cut(&mut self, side: Side) {
        self.content(side).cut |= !self.has_ended(side);
    }

    pub(super) fn data(&mut self, side: Side, len: u64) {
        self.content(side).size += len;
    }

    /// A block of the client. `Start::Unknown` begins a head, unless `may_be_trailers`. Gives
    /// whether it is a request's head.
    pub(super) fn client_block(&mut self, block: Block, may_be_trailers: bool) -> bool {
        let is_head = match block.start() {
            Start::Pseudo => true,
            Start::Unknown => !may_be_trailers,
            Start::Regular => false,
        };
        if !is_head || self.messages.request.is_some() {
            self.request.trailers = block.into_trailers();
            return false;
        }
        self.messages.request = Some(block.into_request());
        // Content comes after its head, so none was lost.
        self.request.cut = false;
        true
    }

    /// The head of a request that the server makes up, which has no content.
    pub(super) fn promise(&mut self, block: Block, at: Timestamp) {
        self.messages.request = Some(block.into_request());
        self.end(Side::Client, at);
    }

    /// A block of the server, which may be the last of its message.
    pub(super) fn server_block(&mut self, block: Block, end_stream: bool) {
        let before = self.messages.response.as_ref().map(|response| response.status);
        match (block.status(), before) {
            (Some(100..=199), None) if !end_stream => self.answer_for_now(block.into_response()),
            (Some(_), None | Some(0)) => self.answer(block.into_response()),
            (None, None) if !self.is_trailers(&block, end_stream) => {
                self.answer(block.into_response());
            }
            _ => self.response.trailers = block.into_trailers(),
        }
    }

    fn answer(&mut self, response: Response) {
        // If there was one whose status is not known, that was interim.
        if let Some(interim) = self.messages.response.replace(response) {
            self.answer_for_now(interim);
        }
        self.response.cut = false;
    }

    /// Whether a block without a known status, before which no head was seen, is trailers.
    fn is_trailers(&self, block: &Block, end_stream: bool) -> bool {
        match block.start() {
            Start::Pseudo => false,
            Start::Regular => true,
            Start::Unknown => end_stream && self.response.cut,
        }
    }

    fn answer_for_now(&mut self, response: Response) {
        if self.messages.interim.len() < INTERIM_MAX {
            self.messages.interim.push(response);
        }
    }

    /// The last frame of a message was seen.
    pub(super) fn end(&mut self, side: Side, at: Timestamp) {
        let content = std::mem::take(self.content(side));
        let end = MessageEnd {
            body_size: (!content.cut).then_some(content.size),
            trailers: content.trailers,
            at,
        };
        match side {
            Side::Client => self.messages.request_end = Some(end),
            Side::Server => self.messages.response_end = Some(end),
        }
    }

    pub(super) fn has_ended(&self, side: Side) -> bool {
        match side {
            Side::Client => self.messages.request_end.is_some(),
            Side::Server => self.messages.response_end.is_some(),
        }
    }

    /// Whether all was seen that can be. `may_be_asked`: a request that was not seen may come.
    pub(super) fn is_over(&self, may_be_asked: bool) -> bool {
        let is_asked = self.has_ended(Side::Client)
            || self.request.cut
            || self.messages.request.is_none() && !may_be_asked;
        self.has_ended(Side::Server) && is_asked
    }

    /// Why the response is not complete, if it is not, where what ended the stream is `failure`:
    /// if frames were lost, the end may have been among them.
    pub(super) fn failure(&self, failure: Failure) -> Option<Failure> {
        match (self.has_ended(Side::Server), self.response.cut) {
            (true, _) => None,
            (false, true) => Some(Failure::Gap),
            (false, false) => Some(failure),
        }
    }

    /// About how many bytes of memory it takes.
    pub(super) fn memory(&self) -> usize {
        let messages = &self.messages;
        let heads = messages.response.iter().chain(&messages.interim).map(|r| &r.fields);
        let request = messages.request.iter().map(|request| &request.fields);
        let trailers = [&self.request.trailers, &self.response.trailers];
        let sections = heads.chain(request).chain(trailers);
        let target = messages.request.as_ref().map_or(0, |request| request.target.len());
        sections.map(Fields::memory).sum::<usize>() + target + STREAM_COST_BYTES
    }
}
