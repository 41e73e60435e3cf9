//! Which frames of an HTTP/2 connection belong to which exchange (RFC 9113 section 5).
//!
//! Every stream is one exchange, and its identifier is never used again, so messages are paired
//! across a loss; what a loss makes unknown are sizes of content, and whether a message that is
//! not over will be. An exchange is given when both its messages are over, or its stream is reset,
//! or it cannot be otherwise.
//!
//! Owns the streams that are not over, as many as [`STREAMS_MAX`]: what peers agree to in SETTINGS
//! is no bound.

mod stream;

use std::collections::BTreeMap;

use crate::exchange::Failure;
use crate::flow::{Side, Timestamp};
use crate::http::{ErrorCode, Response};
use crate::parse::Parsed;
use crate::parse::http2::{Block, Frames, Gap, Malformed, Part};
use crate::stats::{Cause, Unit};

use super::conversation::{Conversation, Fate, Wants};
use super::messages::{Messages, Step, give};
use stream::Stream;

/// Streams that may be open; the oldest is given before there are more.
const STREAMS_MAX: usize = 1024;

/// Both directions of one connection.
#[derive(Debug)]
pub(super) struct Http2 {
    requests: Frames,
    responses: Frames,
    /// By identifier, which rises with age.
    streams: BTreeMap<u32, Stream>,
    /// The highest stream that the client has asked on.
    highest: u32,
    /// Frames of the client may have been lost, so a response may be to a request that was.
    requests_lost: bool,
    asked: u64,
    /// What `streams` costs.
    kept: usize,
}

impl Http2 {
    /// A connection whose first bytes were seen.
    pub(super) fn new() -> Self {
        Self::with(Frames::new, 0)
    }

    /// A connection that was joined in mid-stream.
    pub(super) fn joined() -> Self {
        Self { requests_lost: true, ..Self::with(Frames::joined, 0) }
    }

    /// Whether a response of HTTP/1.1 is the last before HTTP/2 (RFC 7540 section 3.2).
    pub(super) fn is_switched_to(response: &Response) -> bool {
        let is_h2c = |value: &[u8]| value.trim_ascii().eq_ignore_ascii_case(b"h2c");
        response.status == 101 && response.fields.all("upgrade").any(is_h2c)
    }

    /// A connection that was HTTP/1.1 (RFC 7540 section 3.2). Its last request, with the response
    /// that switched protocols, is what stream 1 answers; it and those before make `asked`.
    pub(super) fn upgraded(mut messages: Box<Messages>, asked: u64) -> Self {
        messages.stream_id = Some(1);
        messages.interim.extend(messages.response.take());
        let mut http2 = Self { highest: 1, ..Self::with(Frames::new, asked) };
        let mut stream = Stream::of(messages);
        stream.cut(Side::Client);
        http2.streams.insert(1, stream);
        http2.weigh(1);
        http2
    }

    fn with(frames: fn(Side) -> Frames, asked: u64) -> Self {
        Self {
            requests: frames(Side::Client),
            responses: frames(Side::Server),
            streams: BTreeMap::new(),
            highest: 0,
            requests_lost: false,
            asked,
            kept: 0,
        }
    }

    fn frames(&self, side: Side) -> &Frames {
        match side {
            Side::Client => &self.requests,
            Side::Server => &self.responses,
        }
    }

    fn frames_mut(&mut self, side: Side) -> &mut Frames {
        match side {
            Side::Client => &mut self.requests,
            Side::Server => &mut self.responses,
        }
    }

    fn part(&mut self, side: Side, part: Part, at: Timestamp, steps: &mut Vec<Step>) {
        match part {
            Part::Block { stream, block, end_stream } => {
                match side {
                    Side::Client => self.client_block(stream, block, end_stream, steps),
                    Side::Server => self.server_block(stream, block, end_stream, steps),
                }
                if end_stream {
                    self.end(stream, side, at, steps);
                }
            }
            Part::Promise { promised, block } => self.promise(promised, block, at, steps),
            Part::Data { stream, len, end_stream } => {
                if let Some(open) = self.streams.get_mut(&stream) {
                    open.data(side, len);
                }
                if end_stream {
                    self.end(stream, side, at, steps);
                }
            }
            Part::Reset { stream, code } => self.settle(stream, Failure::StreamReset(code), steps),
            Part::GoAway { last_stream, code } => self.go_away(side, last_stream, code, steps),
            Part::Malformed(Malformed::Block) => {
                steps.push(Step::Lost(Unit::Http, Cause::Malformed));
                self.cut(side, steps);
            }
            Part::Malformed(Malformed::Frames) => self.cut(side, steps),
        }
    }

    fn client_block(&mut self, id: u32, block: Block, end_stream: bool, steps: &mut Vec<Step>) {
        // The head of a stream that is not new may have been lost, or given.
        let may_be_trailers = end_stream && id <= self.highest;
        let stream = self.open(id, Side::Client, steps);
        let index = stream.messages.index;
        if stream.client_block(block, may_be_trailers) {
            self.highest = self.highest.max(id);
            self.requests_lost = false;
            steps.push(Step::Asked(index));
        }
        self.weigh(id);
    }

    fn server_block(&mut self, id: u32, block: Block, end_stream: bool, steps: &mut Vec<Step>) {
        self.open(id, Side::Server, steps).server_block(block, end_stream);
        self.weigh(id);
    }

    fn promise(&mut self, id: u32, block: Block, at: Timestamp, steps: &mut Vec<Step>) {
        let stream = self.open(id, Side::Server, steps);
        stream.promise(block, at);
        let index = stream.messages.index;
        self.weigh(id);
        steps.push(Step::Asked(index));
    }

    /// The stream, which is opened if it is not. What `opener` sent on it before, if it did not
    /// begin it, was not seen.
    fn open(&mut self, id: u32, opener: Side, steps: &mut Vec<Step>) -> &mut Stream {
        if !self.streams.contains_key(&id) && self.streams.len() >= STREAMS_MAX {
            self.settle_oldest(steps);
        }
        let (requests, responses) = (self.requests.is_lost(), self.responses.is_lost());
        let asked = &mut self.asked;
        self.streams.entry(id).or_insert_with(|| {
            let mut stream = Stream::new(id, *asked);
            *asked += 1;
            for (side, is_lost) in [(Side::Client, requests), (Side::Server, responses)] {
                if is_lost || side == opener {
                    stream.cut(side);
                }
            }
            stream
        })
    }

    /// Counts what a stream costs.
    fn weigh(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            let cost = stream.memory();
            self.kept = self.kept + cost - std::mem::replace(&mut stream.cost, cost);
        }
    }

    fn end(&mut self, id: u32, side: Side, at: Timestamp, steps: &mut Vec<Step>) {
        // Clients ask on odd streams, in order (RFC 9113 section 5.1.1).
        let may_be_asked = !self.requests_lost && id % 2 == 1 && id > self.highest;
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.end(side, at);
        if stream.is_over(may_be_asked) {
            self.settle(id, Failure::Unfinished, steps);
        }
    }

    /// Gives an exchange, of which no more will come for this reason.
    fn settle(&mut self, id: u32, failure: Failure, steps: &mut Vec<Step>) {
        if let Some(stream) = self.streams.remove(&id) {
            self.kept -= stream.cost;
            let failure = stream.failure(failure);
            give(stream.messages, failure, steps);
        }
    }

    fn settle_oldest(&mut self, steps: &mut Vec<Step>) {
        if let Some(oldest) = self.streams.keys().next().copied() {
            self.settle(oldest, Failure::Unfinished, steps);
        }
    }

    /// Gives the exchanges that are chosen.
    fn settle_all(
        &mut self,
        failure: Failure,
        steps: &mut Vec<Step>,
        choose: impl Fn(u32, &Stream) -> bool,
    ) {
        let chosen = self.streams.iter().filter(|(id, stream)| choose(**id, stream));
        let chosen: Vec<u32> = chosen.map(|(id, _)| *id).collect();
        for id in chosen {
            self.settle(id, failure, steps);
        }
    }

    /// One side will not see to the streams of the other that are behind its last one.
    fn go_away(&mut self, side: Side, last: u32, code: ErrorCode, steps: &mut Vec<Step>) {
        let own = if side == Side::Server { 1 } else { 0 };
        self.settle_all(Failure::GoAway(code), steps, |id, _| id > last && id % 2 == own);
    }

    /// Frames of one side may have been lost.
    fn cut(&mut self, side: Side, steps: &mut Vec<Step>) {
        self.streams.values_mut().for_each(|stream| stream.cut(side));
        if side == Side::Client {
            self.requests_lost = true;
            self.settle_all(Failure::Gap, steps, |_, stream| stream.is_over(false));
        }
    }
}

impl Conversation for Http2 {
    fn data(&mut self, side: Side, mut bytes: &[u8], at: Timestamp, steps: &mut Vec<Step>) -> Fate {
        loop {
            match self.frames_mut(side).read(&mut bytes, at) {
                Parsed::NeedMore => return Fate::GoesOn,
                Parsed::NotThisProtocol if self.asked == 0 => return Fate::NotThisProtocol,
                Parsed::NotThisProtocol => {
                    self.fail(Failure::ProtocolError, steps);
                    return Fate::Over;
                }
                Parsed::Message(part) => self.part(side, part, at, steps),
            }
        }
    }

    fn gap(&mut self, side: Side, len: u64, at: Timestamp, steps: &mut Vec<Step>) {
        match self.frames_mut(side).gap(len) {
            // The end of a frame may have lain in the gap.
            Gap::InData => {
                self.data(side, &[], at, steps);
            }
            Gap::Cut => self.cut(side, steps),
        }
    }

    fn fin(&mut self, side: Side, _at: Timestamp, steps: &mut Vec<Step>) {
        if side == Side::Server {
            self.fail(Failure::ConnectionClosed, steps);
        }
    }

    fn fail(&mut self, failure: Failure, steps: &mut Vec<Step>) {
        self.settle_all(failure, steps, |_, _| true);
    }

    fn give_overdue(&mut self, limit: Timestamp, steps: &mut Vec<Step>) {
        self.settle_all(Failure::Unfinished, steps, |_, stream| {
            stream.messages.start().is_none_or(|start| start < limit)
        });
    }

    fn shed(&mut self, steps: &mut Vec<Step>) {
        self.fail(Failure::Unfinished, steps);
        for side in [Side::Client, Side::Server] {
            let frames = self.frames_mut(side);
            if frames.in_block() {
                steps.push(Step::Lost(Unit::Http, Cause::TableFull));
            }
            frames.shed();
        }
        self.requests_lost = true;
    }

    fn wants(&self, side: Side) -> Wants {
        self.frames(side).skippable().map_or(Wants::More, Wants::Frame)
    }

    fn cost(&self) -> usize {
        self.kept + self.requests.cost() + self.responses.cost()
    }

    fn waiting(&mut self, index: u64) -> Option<&mut Messages> {
        let mut streams = self.streams.values_mut().rev();
        streams.find(|stream| stream.messages.index == index).map(|stream| &mut *stream.messages)
    }
}
