//! HTTP/2 frames (RFC 9113): the ordered chunks of one direction of a connection in; field blocks,
//! ends of messages and what else concerns streams out.
//!
//! Owns where the direction stands in its frames, its HPACK decoder, and at most
//! [`BLOCK_MAX_BYTES`] of a block that is not whole yet. Content is passed over. Does not own
//! streams: whether a block is a head or trailers is for the caller to say.
//!
//! A split is the network's choice, so no split changes what is read, except while frames are
//! looked for after a loss: then only a chunk's first byte may begin one, as senders begin frames
//! at segment starts. What a loss may have taken of the dynamic table is unknown from there.

mod block;
mod fragment;
mod frame;
#[cfg(test)]
pub(crate) mod samples;
mod seek;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::flow::{Side, Timestamp};
use crate::http::{ErrorCode, HeadTiming};
use crate::parse::Parsed;
use crate::parse::hpack::Decoder;

use block::Kind;
pub use block::{Block, LIST_MAX_BYTES, Start};
use fragment::Fragment;
use frame::{HEADER_BYTES, Header, Type};
pub use seek::side_of;

/// The client connection preface (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The largest field block that is read, in the octets of its frames.
pub const BLOCK_MAX_BYTES: usize = 64 * 1024;

/// What [`Frames::read`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A field block of a stream: a head or trailers.
    Block {
        /// The stream identifier.
        stream: u32,
        /// Its fields.
        block: Block,
        /// The message has no content, or no more.
        end_stream: bool,
    },
    /// The head of a request that the server answers without being asked.
    Promise {
        /// The stream that the answer will be on.
        promised: u32,
        /// The request's fields.
        block: Block,
    },
    /// A DATA frame has ended.
    Data {
        /// The stream identifier.
        stream: u32,
        /// Octets of content, without padding.
        len: u64,
        /// It was the last of its message.
        end_stream: bool,
    },
    /// RST_STREAM.
    Reset {
        /// The stream identifier.
        stream: u32,
        /// Why.
        code: ErrorCode,
    },
    /// GOAWAY.
    GoAway {
        /// The last stream that the sender has seen to, or will.
        last_stream: u32,
        /// Why.
        code: ErrorCode,
    },
    /// Something was lost to its own grammar; see there. The dynamic table is unknown.
    Malformed(Malformed),
}

/// What broke the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A field block, or it is larger than [`BLOCK_MAX_BYTES`]. The frames go on behind it.
    Block,
    /// The frames. The rest of the chunk is gone, and the direction looks for frames as after a
    /// loss.
    Frames,
}

/// What a loss of bytes did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Nothing: only content is missing, and the frames go on exactly.
    InData,
    /// Any number of frames may be missing.
    Cut,
}

/// Where a direction stands.
#[derive(Debug, Clone, Copy)]
enum State {
    /// In the client connection preface, of which so many octets were read.
    Preface(usize),
    /// Before or in a frame header.
    Header,
    /// In what is read of a payload: so many octets.
    Payload(Header, usize),
    /// In what is passed over of a payload: so many octets more.
    Rest(u64),
    /// Looking for a frame at the start of a chunk.
    Seek,
    /// Not HTTP/2.
    Over,
}

/// A field block of which not all fragments were read.
#[derive(Debug)]
struct Open {
    stream: u32,
    end_stream: bool,
    /// The stream that a PUSH_PROMISE is of.
    promised: Option<u32>,
    octets: Vec<u8>,
    /// Octets of its frames.
    size: u64,
    /// There is more of it than is read.
    is_too_large: bool,
}

impl Open {
    fn new(header: &Header) -> Self {
        Self {
            stream: header.stream(),
            end_stream: header.ends_stream(),
            promised: None,
            octets: Vec::new(),
            size: 0,
            is_too_large: false,
        }
    }

    /// What its fields are: the server's are a response's, but for a promise.
    fn kind(&self, side: Side) -> Kind {
        match side {
            Side::Server if self.promised.is_none() => Kind::Response,
            Side::Server | Side::Client => Kind::Request,
        }
    }
}

/// One direction of one connection.
#[derive(Debug)]
pub struct Frames {
    side: Side,
    state: State,
    decoder: Decoder,
    /// What was read of the header or payload, where it is not whole.
    so_far: Vec<u8>,
    /// The block that CONTINUATION goes on with.
    open: Option<Open>,
    /// What is given when the frame has ended.
    then: Option<Part>,
    /// No frame was read yet, so the next must be what begins a connection.
    is_first: bool,
    /// Frames were found by looking, and no field block has proven them yet.
    tentative: bool,
    /// The highest stream that a field block was sent on.
    highest: u32,
    /// When the field block began.
    since: Timestamp,
}

impl Frames {
    /// A direction whose first byte is the first that will be read.
    #[must_use]
    pub fn new(side: Side) -> Self {
        let state = match side {
            Side::Client => State::Preface(0),
            Side::Server => State::Header,
        };
        Self {
            side,
            state,
            decoder: Decoder::new(),
            so_far: Vec::new(),
            open: None,
            then: None,
            is_first: true,
            tentative: false,
            highest: 0,
            since: Timestamp::default(),
        }
    }

    /// A direction joined in mid-stream: bytes are ignored until a chunk starts with frames.
    #[must_use]
    pub fn joined(side: Side) -> Self {
        let mut frames = Self::new(side);
        frames.lose();
        frames
    }

    /// Takes bytes from the front of `chunk`, captured at `at`. Call again with what is left,
    /// also when nothing is, until the answer is `NeedMore` or `NotThisProtocol`; the latter is
    /// final.
    pub fn read(&mut self, chunk: &mut &[u8], at: Timestamp) -> Parsed<Part> {
        loop {
            let answer = match self.state {
                State::Preface(read) => self.preface(read, chunk),
                State::Header => self.header(chunk, at),
                State::Payload(header, need) => self.payload(header, need, chunk, at),
                State::Rest(left) => self.rest(left, chunk),
                State::Seek => self.seek(chunk),
                State::Over => return Parsed::NotThisProtocol,
            };
            if let Some(answer) = answer {
                return answer;
            }
        }
    }

    /// `len` bytes of the direction were not captured. Read to `NeedMore` before and after: the
    /// end of a frame that lay in the gap is given by the next `read`, even of an empty chunk.
    pub fn gap(&mut self, len: u64) -> Gap {
        match &mut self.state {
            State::Rest(left) if *left >= len => {
                *left -= len;
                return Gap::InData;
            }
            State::Over => {}
            _ => self.lose(),
        }
        Gap::Cut
    }

    /// How many bytes of content come before the next frame header, where it is certain that there
    /// is nothing else.
    #[must_use]
    pub fn skippable(&self) -> Option<u64> {
        match (self.state, &self.then) {
            (State::Rest(left), Some(Part::Data { .. })) => Some(left),
            (State::Header, _) if self.so_far.is_empty() && !self.tentative => Some(0),
            _ => None,
        }
    }

    /// Whether frames may be missed now, because they are looked for.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Seek)
    }

    /// Whether a field block has begun and is not complete.
    #[must_use]
    pub fn in_block(&self) -> bool {
        let in_fragment = match &self.state {
            State::Payload(header, _) => header.kind.has_fragment(),
            _ => false,
        };
        self.open.is_some() || in_fragment
    }

    /// About how many bytes of memory it keeps.
    #[must_use]
    pub fn cost(&self) -> usize {
        let open = self.open.as_ref().map_or(0, |open| open.octets.len());
        self.decoder.cost() + self.so_far.len() + open
    }

    /// Gives back all memory. A field block that is not complete is lost.
    pub fn shed(&mut self) {
        match self.state {
            State::Rest(_) | State::Preface(_) if self.open.is_none() => self.decoder.lose(),
            State::Over => {}
            _ => self.lose(),
        }
    }

    fn preface(&mut self, read: usize, chunk: &mut &[u8]) -> Option<Parsed<Part>> {
        let expected = PREFACE.get(read..).unwrap_or_default();
        let (taken, rest) = chunk.split_at(expected.len().min(chunk.len()));
        *chunk = rest;
        self.state = match expected.strip_prefix(taken) {
            None => State::Over,
            Some([]) => State::Header,
            Some(_) => {
                self.state = State::Preface(read + taken.len());
                return Some(Parsed::NeedMore);
            }
        };
        None
    }

    fn header(&mut self, chunk: &mut &[u8], at: Timestamp) -> Option<Parsed<Part>> {
        if !chunk.is_empty() && self.so_far.is_empty() && self.open.is_none() {
            self.since = at;
        }
        let octets = self.take(HEADER_BYTES, chunk);
        let Some(header) = octets.as_deref().and_then(Header::at) else {
            return Some(Parsed::NeedMore);
        };
        if !self.accepts(&header) {
            return self.give_up(chunk);
        }
        self.is_first = false;
        let need = match header.kind {
            Type::Data => usize::from(header.is_padded()),
            Type::RstStream => 4,
            Type::GoAway => 8,
            kind if kind.has_fragment() => header.payload_len().min(BLOCK_MAX_BYTES),
            _ => 0,
        };
        self.state = State::Payload(header, need);
        None
    }

    /// Whether the connection goes on with this frame.
    fn accepts(&self, header: &Header) -> bool {
        let goes_on = match &self.open {
            Some(open) => header.kind == Type::Continuation && header.stream() == open.stream,
            None => header.kind != Type::Continuation,
        };
        let is_frame = match self.tentative {
            true => header.is_plausible(self.side),
            false => header.is_valid(self.side),
        };
        goes_on && is_frame && (!self.is_first || header.begins_connection())
    }

    /// What is no frame ends the connection, or the search for frames goes on.
    fn give_up(&mut self, chunk: &mut &[u8]) -> Option<Parsed<Part>> {
        if self.is_first {
            self.state = State::Over;
            return None;
        }
        let malformed = if self.in_block() { Malformed::Block } else { Malformed::Frames };
        let was_tentative = self.tentative;
        *chunk = &[];
        self.lose();
        (!was_tentative).then_some(Parsed::Message(Part::Malformed(malformed)))
    }

    fn payload(
        &mut self,
        header: Header,
        need: usize,
        chunk: &mut &[u8],
        at: Timestamp,
    ) -> Option<Parsed<Part>> {
        let Some(octets) = self.take(need, chunk) else { return Some(Parsed::NeedMore) };
        let (stream, end_stream) = (header.stream(), header.ends_stream());
        self.then = match header.kind {
            Type::Data => match header.content_len(octets.first().copied()) {
                Some(len) => Some(Part::Data { stream, len, end_stream }),
                None => return self.give_up(chunk),
            },
            Type::RstStream => Some(Part::Reset { stream, code: ErrorCode(word(&octets, 0)) }),
            Type::GoAway => {
                let last_stream = word(&octets, 0) & (u32::MAX >> 1);
                Some(Part::GoAway { last_stream, code: ErrorCode(word(&octets, 4)) })
            }
            kind if kind.has_fragment() => return self.fragment(&header, &octets, chunk, at),
            _ => None,
        };
        self.pass_over(&header, need);
        None
    }

    /// Passes over what is left of a payload.
    fn pass_over(&mut self, header: &Header, read: usize) {
        self.state = State::Rest(header.payload_len().saturating_sub(read) as u64);
    }

    /// Takes the next fragment of a field block, which gives the block if it is the last.
    fn fragment(
        &mut self,
        header: &Header,
        payload: &[u8],
        chunk: &mut &[u8],
        at: Timestamp,
    ) -> Option<Parsed<Part>> {
        let Some(fragment) = Fragment::of(header, payload) else { return self.give_up(chunk) };
        let mut open = self.open.take().unwrap_or_else(|| Open::new(header));
        self.pass_over(header, payload.len());
        open.promised = open.promised.or(fragment.promised);
        open.size += (HEADER_BYTES + header.payload_len()) as u64;
        open.is_too_large |= payload.len() < header.payload_len()
            || open.octets.len() + fragment.octets.len() > BLOCK_MAX_BYTES;
        if header.ends_headers() && open.octets.is_empty() {
            return self.block(&open, fragment.octets, chunk, at);
        }
        if open.is_too_large {
            open.octets = Vec::new();
        } else {
            open.octets.extend_from_slice(fragment.octets);
        }
        if header.ends_headers() {
            let octets = std::mem::take(&mut open.octets);
            return self.block(&open, &octets, chunk, at);
        }
        self.open = Some(open);
        None
    }

    /// Decodes a whole field block.
    fn block(
        &mut self,
        open: &Open,
        octets: &[u8],
        chunk: &mut &[u8],
        at: Timestamp,
    ) -> Option<Parsed<Part>> {
        if open.is_too_large {
            self.decoder.lose();
            self.then = Some(Part::Malformed(Malformed::Block));
            return None;
        }
        let timing = HeadTiming { first_byte: self.since, complete: at };
        let kind = open.kind(self.side);
        let (block, decoded) = Block::decode(&mut self.decoder, kind, octets, open.size, timing);
        if self.tentative && !(decoded.is_ok() && block.is_plausible(kind)) {
            return self.give_up(chunk);
        }
        self.tentative &= block.is_empty();
        let Open { stream, end_stream, promised, .. } = *open;
        self.highest = self.highest.max(promised.unwrap_or(stream));
        Some(Parsed::Message(match (decoded, promised) {
            (Err(_), _) => Part::Malformed(Malformed::Block),
            (Ok(()), Some(promised)) => Part::Promise { promised, block },
            (Ok(()), None) => Part::Block { stream, block, end_stream },
        }))
    }

    fn rest(&mut self, left: u64, chunk: &mut &[u8]) -> Option<Parsed<Part>> {
        let len = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
        *chunk = chunk.get(len..).unwrap_or_default();
        let left = left - len as u64;
        if left > 0 {
            self.state = State::Rest(left);
            return Some(Parsed::NeedMore);
        }
        self.state = State::Header;
        self.then.take().map(Parsed::Message)
    }

    fn seek(&mut self, chunk: &mut &[u8]) -> Option<Parsed<Part>> {
        if self.side == Side::Client
            && let Some(rest) = chunk.strip_prefix(PREFACE)
        {
            *chunk = rest;
            self.state = State::Header;
            return None;
        }
        if seek::finds(self.side, self.highest, chunk) {
            self.state = State::Header;
            return None;
        }
        *chunk = &[];
        Some(Parsed::NeedMore)
    }

    /// Takes `len` octets; `None`: they are not all there, and what is there is kept.
    fn take<'a>(&mut self, len: usize, chunk: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
        if self.so_far.is_empty()
            && let Some((taken, rest)) = chunk.split_at_checked(len)
        {
            *chunk = rest;
            return Some(Cow::Borrowed(taken));
        }
        let missing = len.saturating_sub(self.so_far.len());
        let (taken, rest) = chunk.split_at(missing.min(chunk.len()));
        *chunk = rest;
        self.so_far.extend_from_slice(taken);
        (taken.len() == missing).then(|| Cow::Owned(std::mem::take(&mut self.so_far)))
    }

    /// Any number of frames may be missing.
    fn lose(&mut self) {
        self.state = State::Seek;
        self.decoder.lose();
        self.so_far = Vec::new();
        (self.open, self.then) = (None, None);
        (self.is_first, self.tentative) = (false, true);
    }
}

/// The four octets at `start`, which are there.
fn word(octets: &[u8], start: usize) -> u32 {
    let octets = octets.get(start..).and_then(<[u8]>::first_chunk);
    octets.copied().map_or(0, u32::from_be_bytes)
}
