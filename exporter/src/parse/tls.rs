//! TLS up to its hellos (RFC 8446, RFC 5246, RFC 6101): the ordered chunks of one direction of a
//! connection in, hellos and alerts out.
//!
//! Owns where the direction stands in its records, and of a hello that is not whole yet at most
//! [`HELLO_MAX_BYTES`]. Everything else is passed over unread. Does not own which ServerHello
//! answers which ClientHello.
//!
//! Records cut messages and segments cut records, each where it likes, so no split changes what is
//! read, except while the stream looks for a hello after a loss: then only a chunk's first byte
//! may begin one, as senders start hellos at segment starts.

mod client_hello;
mod fingerprint;
mod message;
mod reader;
mod record;
mod server_hello;
#[cfg(test)]
mod tests;

use crate::flow::{Side, Timestamp};
use crate::parse::Parsed;
use crate::tls::{ClientHello, ServerHello, Timing, extension};

pub use message::HELLO_MAX_BYTES;
use message::{CLIENT_HELLO, HELLO_REQUEST, Handshake, SERVER_HELLO, Taken};
use record::{ContentType, Found, Records};

/// How many chunks after a loss may begin with anything before no hello is expected any more.
const SEEK_MAX_CHUNKS: u32 = 8;

/// What [`Stream::read`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A ClientHello. Another may follow.
    ClientHello(Box<ClientHello>),
    /// A ServerHello or a HelloRetryRequest. Another may follow.
    ServerHello(Box<ServerHello>),
    /// An alert: its level and its description.
    Alert(u8, u8),
    /// A hello was lost to its own grammar, or is larger than [`HELLO_MAX_BYTES`]. Nothing more
    /// is given.
    Malformed,
    /// What follows are no hellos: the side is past them, or encrypts. Nothing more is given.
    Past,
}

/// What a loss of bytes did to the hello the stream was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// A hello had begun; it is lost.
    CutHello,
    /// The stream was in no hello. Whole ones may be missing.
    Between,
}

/// Which side's hello a direction begins with, if it begins with one. `NeedMore`: show the same
/// bytes again with the next.
#[must_use]
pub fn side_of(first_bytes: &[u8]) -> Parsed<Side> {
    match record::first_hello(first_bytes) {
        Parsed::Message(CLIENT_HELLO) => Parsed::Message(Side::Client),
        Parsed::Message(SERVER_HELLO) => Parsed::Message(Side::Server),
        Parsed::NeedMore => Parsed::NeedMore,
        Parsed::Message(_) | Parsed::NotThisProtocol => Parsed::NotThisProtocol,
    }
}

/// Whether a segment begins with encrypted data: what hellos there were are over.
#[must_use]
pub fn is_application_data(first_bytes: &[u8]) -> bool {
    record::is_application_data(first_bytes)
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before its first record.
    New,
    /// Between or in records.
    Records,
    /// Looking for a hello at the start of a chunk.
    Seek,
    /// Past the hellos, or not TLS.
    Over,
}

/// One direction of one connection. Which side it is, its first hello tells: who opens a
/// connection need not be the one who sends the ClientHello.
#[derive(Debug)]
pub struct Stream {
    side: Option<Side>,
    state: State,
    /// Data may follow the ClientHello at once.
    early_data: bool,
    /// Chunks that were looked at in vain.
    sought: u32,
    records: Records,
    /// The handshake message so far, where it is not whole.
    handshake: Handshake,
    /// The alert so far, where it is not whole.
    alert: Option<u8>,
}

impl Stream {
    /// A direction whose first byte is the first that will be read.
    #[must_use]
    pub fn new() -> Self {
        Self::starting_in(State::New)
    }

    /// A direction joined in mid-stream: bytes are ignored until a chunk starts with a hello.
    #[must_use]
    pub fn joined() -> Self {
        Self::starting_in(State::Seek)
    }

    fn starting_in(state: State) -> Self {
        Self {
            side: None,
            state,
            early_data: false,
            sought: 0,
            records: Records::default(),
            handshake: Handshake::default(),
            alert: None,
        }
    }

    /// Takes bytes from the front of `chunk`, captured at `at`. Call again with what is left,
    /// also when nothing is, until the answer is `NeedMore` or `NotThisProtocol`; the latter is
    /// final.
    pub fn read(&mut self, chunk: &mut &[u8], at: Timestamp) -> Parsed<Part> {
        if self.state == State::Seek
            && let Some(past) = self.seek(chunk)
        {
            return past;
        }
        while self.state != State::Over {
            let part = match self.records.next(chunk) {
                Found::Fragment => self.fragment(chunk, at),
                Found::NeedMore => return Parsed::NeedMore,
                Found::NotARecord => return self.not_a_record(chunk),
            };
            self.state = if self.state == State::New { State::Records } else { self.state };
            if let Some(part) = part {
                return self.give(part, chunk);
            }
        }
        *chunk = &[];
        Parsed::NeedMore
    }

    fn give(&mut self, part: Part, chunk: &mut &[u8]) -> Parsed<Part> {
        if matches!(part, Part::Malformed | Part::Past) {
            *chunk = &[];
            *self = Self::starting_in(State::Over);
        }
        Parsed::Message(part)
    }

    /// Bytes of the direction were not captured. Without effect where [`Self::skippable`] said
    /// that they are needed by nobody.
    pub fn gap(&mut self, len: u64) -> Gap {
        if self.state == State::Over || self.records.skip(len) {
            return Gap::Between;
        }
        let cuts = self.in_hello() || self.state == State::New && self.records.has_begun();
        let gap = if cuts { Gap::CutHello } else { Gap::Between };
        *self = Self { side: self.side, ..Self::joined() };
        gap
    }

    /// How many of the next bytes are of a record that nobody needs.
    #[must_use]
    pub fn skippable(&self) -> u64 {
        self.records.skippable()
    }

    /// Whether nothing more is read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Whether a hello has begun and is not complete.
    #[must_use]
    pub fn in_hello(&self) -> bool {
        self.handshake.has_begun()
    }

    /// How many bytes are kept of a hello that is not whole.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.handshake.buffered()
    }

    /// Looks for a hello at the front of `chunk`. `None`: it begins with one.
    fn seek(&mut self, chunk: &mut &[u8]) -> Option<Parsed<Part>> {
        if chunk.is_empty() {
            return Some(Parsed::NeedMore);
        }
        match side_of(chunk) {
            Parsed::Message(side) if self.side.is_none_or(|known| known == side) => {
                self.state = State::Records;
                return None;
            }
            _ => self.sought += 1,
        }
        if record::is_past_hellos(chunk) || self.sought > SEEK_MAX_CHUNKS {
            return Some(self.give(Part::Past, chunk));
        }
        *chunk = &[];
        Some(Parsed::NeedMore)
    }

    fn not_a_record(&mut self, chunk: &mut &[u8]) -> Parsed<Part> {
        if self.state == State::New {
            self.state = State::Over;
            return Parsed::NotThisProtocol;
        }
        let part = if self.in_hello() { Part::Malformed } else { Part::Past };
        self.give(part, chunk)
    }

    /// Takes bytes of the record that the stream is in.
    fn fragment(&mut self, chunk: &mut &[u8], at: Timestamp) -> Option<Part> {
        match self.records.content_type() {
            ContentType::Handshake => self.handshake(chunk, at),
            _ if self.in_hello() => Some(Part::Malformed),
            ContentType::Alert => self.alert(chunk),
            ContentType::ApplicationData if !self.early_data => Some(Part::Past),
            ContentType::ApplicationData | ContentType::Other => {
                self.records.take(chunk, usize::MAX);
                None
            }
        }
    }

    fn handshake(&mut self, chunk: &mut &[u8], at: Timestamp) -> Option<Part> {
        let wanted = self.handshake.wants();
        let bytes = self.records.take(chunk, wanted);
        match self.handshake.add(bytes, at) {
            Taken::More => None,
            Taken::TooLarge => Some(Part::Malformed),
            Taken::Whole(kind, body, timing) => self.message(kind, &body, timing),
            Taken::Begun(kind) => self.is_foreign(kind).then_some(Part::Past),
        }
    }

    /// Whether no hello of this side begins with `kind`.
    fn is_foreign(&self, kind: u8) -> bool {
        match kind {
            CLIENT_HELLO => self.side == Some(Side::Server),
            SERVER_HELLO | HELLO_REQUEST => self.side == Some(Side::Client),
            _ => true,
        }
    }

    fn message(&mut self, kind: u8, body: &[u8], timing: Timing) -> Option<Part> {
        match kind {
            CLIENT_HELLO => {
                self.side = Some(Side::Client);
                let hello = client_hello::parse(body, timing);
                self.early_data = hello.as_ref().is_some_and(|h| h.has(extension::EARLY_DATA));
                Some(hello.map_or(Part::Malformed, |hello| Part::ClientHello(Box::new(hello))))
            }
            SERVER_HELLO => {
                self.side = Some(Side::Server);
                let hello = server_hello::parse(body, timing);
                Some(hello.map_or(Part::Malformed, |hello| Part::ServerHello(Box::new(hello))))
            }
            _ => (!body.is_empty()).then_some(Part::Past),
        }
    }

    /// An alert of two bytes; longer ones are encrypted.
    fn alert(&mut self, chunk: &mut &[u8]) -> Option<Part> {
        if self.records.len() != 2 {
            return Some(Part::Past);
        }
        let byte = *self.records.take(chunk, 1).first()?;
        let Some(level) = self.alert.take() else {
            self.alert = Some(byte);
            return None;
        };
        Some(Part::Alert(level, byte))
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self::new()
    }
}
