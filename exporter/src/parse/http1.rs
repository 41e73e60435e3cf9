//! HTTP/1.x (RFC 9112): the ordered chunks of one direction of a connection in, heads and message
//! ends out.
//!
//! Owns where the direction stands in its messages, and at most [`HEAD_MAX_BYTES`] of a section
//! that is not whole yet. Does not own which response answers which request: the caller says so
//! through [`Stream::answers`], because the method decides how a response is framed.
//!
//! A split is the network's choice, so no split changes what is read, except while the stream
//! looks for a head after a loss: then only a chunk's first byte may begin one, as senders start
//! heads at segment starts.

mod body;
mod chunked;
mod head;
mod section;
mod start_line;
#[cfg(test)]
mod tests;

use crate::fields::Fields;
use crate::flow::{Side, Timestamp};
use crate::http::{HeadTiming, MessageEnd, Request, Response};
use crate::parse::Parsed;

use body::{Body, Step};
pub use section::HEAD_MAX_BYTES;
use section::{Section, Taken};

/// What [`Stream::read`] gives: every message is its head, then its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A request's head. Its [`Part::End`] follows.
    Request(Request),
    /// A response's head. Call [`Stream::answers`] next. Its [`Part::End`] follows, except after
    /// an interim response (1xx), and after 101 and a 2xx answer to CONNECT, where another
    /// protocol takes over.
    Response(Response),
    /// The end of the message whose head was read last.
    End(MessageEnd),
    /// A message was lost to its own grammar. The rest of the chunk is gone, and the stream looks
    /// for the next head as [`Stream::joined`] does: how many messages are skipped is unknown.
    Malformed(Malformed),
}

/// Which part of a message broke the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The head is larger than [`HEAD_MAX_BYTES`], or what follows a message is not one although
    /// the stream was joined late. No head of this message was given.
    Head,
    /// The chunked framing (RFC 9112 section 7.1), or a trailer section larger than
    /// [`HEAD_MAX_BYTES`]. The head was given; no end will be.
    Body,
}

/// What a loss of bytes did to the message the stream was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Nothing: only content is missing, and the message continues exactly.
    InBody,
    /// A head had begun; it is lost.
    CutHead,
    /// The message whose head was read last has lost its end.
    CutBody,
    /// The stream was in no message. Whole messages may be missing.
    Between,
}

/// Which side a direction's first bytes, from its very first on, look like. Strict, so that other
/// text protocols are told apart: the whole request line, or a status line up to its code, must
/// be there. `NeedMore`: could still become either; show the same bytes again with the next.
#[must_use]
pub fn side_of(first_bytes: &[u8]) -> Parsed<Side> {
    let bytes = section::without_empty_lines(first_bytes);
    if start_line::begins_response(bytes) {
        return Parsed::Message(Side::Server);
    }
    match section::first_line(bytes) {
        Some(line) if start_line::is_strict_request(line) => Parsed::Message(Side::Client),
        None if bytes.len() < HEAD_MAX_BYTES && start_line::may_begin_either(bytes) => {
            Parsed::NeedMore
        }
        _ => Parsed::NotThisProtocol,
    }
}

/// Where a stream stands.
#[derive(Debug)]
enum State {
    /// Before or in a head. `tentative`: found by looking, so its start line is checked strictly
    /// and a failure only resumes the search.
    Head { tentative: bool },
    /// Looking for a head at the start of a chunk.
    Seek,
    /// In the content of a message whose head was read.
    Body(Body),
    /// Another protocol has taken over (RFC 9110 sections 7.8 and 9.3.6).
    Upgraded,
    /// Not HTTP/1, or ended.
    Over,
}

/// One direction of one connection.
#[derive(Debug)]
pub struct Stream {
    side: Side,
    state: State,
    /// Bytes were missed at some point, so what is not a message is skipped, not final.
    late: bool,
    /// A message was read: what is none later is a malformed one.
    proven: bool,
    /// The head so far, where it is not whole.
    section: Section,
    /// The start line of the head in `section` is whole and valid.
    started: bool,
    first_byte: Timestamp,
    /// Capture time of the message's last byte so far; `None` if that byte was missed.
    last_byte: Option<Timestamp>,
    /// The status of the response just given, while `answers` may still be called.
    answering: Option<u16>,
}

impl Stream {
    /// A direction whose first byte is the first that will be read.
    #[must_use]
    pub fn new(side: Side) -> Self {
        Self::starting_in(side, State::Head { tentative: false })
    }

    /// A direction joined in mid-stream: bytes are ignored until a chunk starts with a head of
    /// this side.
    #[must_use]
    pub fn joined(side: Side) -> Self {
        Self { late: true, ..Self::starting_in(side, State::Seek) }
    }

    fn starting_in(side: Side, state: State) -> Self {
        Self {
            side,
            state,
            late: false,
            proven: false,
            section: Section::default(),
            started: false,
            first_byte: Timestamp::default(),
            last_byte: None,
            answering: None,
        }
    }

    /// Takes bytes from the front of `chunk`, captured at `at`. Call again with what is left,
    /// also when nothing is, until the answer is `NeedMore` or `NotThisProtocol`; the latter
    /// leaves the bytes that are not HTTP/1 in `chunk` and is final.
    pub fn read(&mut self, chunk: &mut &[u8], at: Timestamp) -> Parsed<Part> {
        self.answering = None;
        match self.state {
            State::Head { tentative } => self.read_head(tentative, chunk, at),
            State::Seek => self.seek(chunk, at),
            State::Body(ref mut body) => {
                if !chunk.is_empty() && !body.is_whole() {
                    self.last_byte = Some(at);
                }
                match body.read(chunk) {
                    Step::More => Parsed::NeedMore,
                    Step::Done(trailers) => {
                        let end = body.end(trailers, self.last_byte.unwrap_or(at));
                        self.state = State::Head { tentative: false };
                        Parsed::Message(Part::End(end))
                    }
                    Step::Malformed => self.lose(Malformed::Body, chunk),
                }
            }
            State::Upgraded | State::Over => Parsed::NotThisProtocol,
        }
    }

    /// Says which request method the response just read answers (RFC 9112 section 6.3, rules 1
    /// and 2). `None`: unknown, framed as an answer to GET. Without effect at any other time.
    pub fn answers(&mut self, method: Option<&[u8]>) {
        match (self.answering.take(), method) {
            (Some(_), Some(b"HEAD")) => self.state = State::Body(Body::empty()),
            (Some(200..=299), Some(b"CONNECT")) => self.state = State::Upgraded,
            _ => {}
        }
    }

    /// `len` bytes of the direction were not captured. Read to `NeedMore` before and after: an
    /// end that lay in the gap takes the time of the next `read`, even of an empty chunk.
    pub fn gap(&mut self, len: u64) -> Gap {
        if let State::Body(body) = &mut self.state
            && body.skip(len)
        {
            self.last_byte = None;
            return Gap::InBody;
        }
        let gap = match self.state {
            State::Upgraded | State::Over => return Gap::Between,
            State::Body(_) => Gap::CutBody,
            State::Head { tentative: false } if self.in_head() => Gap::CutHead,
            State::Head { tentative: true } if self.started => Gap::CutHead,
            State::Head { .. } | State::Seek => Gap::Between,
        };
        self.resume_search();
        gap
    }

    /// Gives up a head that has begun: what its whole lines say, if its start line is one of them
    /// or lacks no more than its version. Its end is not given. The stream looks for the next head.
    pub fn cut_head(&mut self) -> Option<Part> {
        let State::Head { tentative } = self.state else { return None };
        let so_far = self.section.so_far();
        let timing = HeadTiming { first_byte: self.first_byte, complete: self.first_byte };
        let mut part = if self.started {
            head::parse(self.side, tentative, section::whole_lines(so_far), timing)?.0
        } else {
            head::parse_cut_line(self.side, so_far, timing)?
        };
        match &mut part {
            Part::Request(request) => request.oddities.truncated = true,
            Part::Response(response) => response.oddities.truncated = true,
            Part::End(_) | Part::Malformed(_) => {}
        }
        self.resume_search();
        Some(part)
    }

    /// The sender closed its direction at `at`: gives the end of a message that lasts until then
    /// (RFC 9112 section 6.3, rule 8). `None`: no message was open, or it is incomplete.
    pub fn finish(&mut self, at: Timestamp) -> Option<MessageEnd> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Body(body) if body.ends_at_close() => Some(body.end(Fields::default(), at)),
            _ => None,
        }
    }

    /// How many of the next bytes are content, which nobody needs: the rest of a body, or of the
    /// current chunk's data without its CRLF. `u64::MAX`: all until close.
    #[must_use]
    pub fn skippable(&self) -> u64 {
        match &self.state {
            State::Body(body) => body.skippable(),
            _ => 0,
        }
    }

    /// Whether a head has begun and is not complete.
    #[must_use]
    pub fn in_head(&self) -> bool {
        matches!(self.state, State::Head { .. }) && !self.section.is_empty()
    }

    /// Whether another protocol has taken over: after 101, or a 2xx answer to CONNECT.
    #[must_use]
    pub fn is_upgraded(&self) -> bool {
        matches!(self.state, State::Upgraded)
    }

    fn seek(&mut self, chunk: &mut &[u8], at: Timestamp) -> Parsed<Part> {
        *chunk = section::without_empty_lines(chunk);
        if start_line::begins_head(self.side, chunk) {
            self.state = State::Head { tentative: true };
            return self.read_head(true, chunk, at);
        }
        *chunk = &[];
        Parsed::NeedMore
    }

    fn read_head(&mut self, tentative: bool, chunk: &mut &[u8], at: Timestamp) -> Parsed<Part> {
        if self.section.is_empty() {
            *chunk = section::without_empty_lines(chunk);
            if chunk.is_empty() {
                return Parsed::NeedMore;
            }
            self.first_byte = at;
        }
        let shown = *chunk;
        let buffered = !self.section.is_empty();
        match self.section.take(chunk) {
            Taken::Whole(block) => {
                let timing = HeadTiming { first_byte: self.first_byte, complete: at };
                if let Some(read) = head::parse(self.side, tentative, &block, timing) {
                    return Parsed::Message(self.enter(read, at));
                }
            }
            Taken::Partial if self.start_is_possible(tentative, shown) => return Parsed::NeedMore,
            Taken::TooLarge if self.start_is_possible(tentative, shown) => {
                return self.lose(Malformed::Head, chunk);
            }
            Taken::Partial | Taken::TooLarge => {}
        }
        *chunk = shown;
        self.not_a_head(tentative, buffered, chunk, at)
    }

    /// Whether the section so far, to which `shown` was added last, may become a head.
    fn start_is_possible(&mut self, tentative: bool, shown: &[u8]) -> bool {
        if self.started {
            return true;
        }
        let so_far = self.section.so_far();
        if memchr::memchr(b'\n', shown).is_none() {
            return start_line::may_begin(self.side, tentative, so_far);
        }
        let line = section::first_line(so_far).unwrap_or_default();
        self.started = start_line::is_valid(self.side, tentative, line);
        self.started
    }

    /// What stands where a head should is none. `buffered`: it began before `chunk`, so a search
    /// that was misled may find a head in `chunk` after all.
    fn not_a_head(
        &mut self,
        tentative: bool,
        buffered: bool,
        chunk: &mut &[u8],
        at: Timestamp,
    ) -> Parsed<Part> {
        if !tentative && !self.late && !self.proven {
            self.section = Section::default();
            self.state = State::Over;
            return Parsed::NotThisProtocol;
        }
        if !tentative {
            return self.lose(Malformed::Head, chunk);
        }
        self.resume_search();
        if buffered {
            return self.seek(chunk, at);
        }
        *chunk = &[];
        Parsed::NeedMore
    }

    /// Enters the content of the message whose head was read.
    fn enter(&mut self, (part, body): (Part, Body), at: Timestamp) -> Part {
        (self.started, self.proven) = (false, true);
        self.last_byte = Some(at);
        self.state = State::Body(body);
        if let Part::Response(response) = &part {
            match response.status {
                101 => self.state = State::Upgraded,
                100..=199 => self.state = State::Head { tentative: false },
                status => self.answering = Some(status),
            }
        }
        part
    }

    /// Gives up the message, and the rest of the chunk with it.
    fn lose(&mut self, what: Malformed, chunk: &mut &[u8]) -> Parsed<Part> {
        *chunk = &[];
        self.resume_search();
        Parsed::Message(Part::Malformed(what))
    }

    fn resume_search(&mut self) {
        self.section = Section::default();
        self.started = false;
        self.late = true;
        self.state = State::Seek;
    }
}
