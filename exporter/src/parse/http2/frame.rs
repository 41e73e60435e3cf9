//! Frame headers (RFC 9113 sections 4.1 and 6).
//!
//! Two measures: what breaks a connection by the RFC, and, where frames are looked for, what any
//! bytes might look like.

use crate::flow::Side;

/// Octets of a frame header.
pub(super) const HEADER_BYTES: usize = 9;
/// SETTINGS_MAX_FRAME_SIZE unless it is changed (RFC 9113 section 6.5.2).
const USUAL_MAX_BYTES: u32 = 16_384;

/// Flags of several types.
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// The type of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Data,
    Headers,
    Priority,
    RstStream,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    /// An extension that is in use: ALTSVC (RFC 7838), ORIGIN (RFC 8336), PRIORITY_UPDATE
    /// (RFC 9218).
    Extension,
    Unknown,
}

impl Type {
    fn of(octet: u8) -> Self {
        match octet {
            0 => Self::Data,
            1 => Self::Headers,
            2 => Self::Priority,
            3 => Self::RstStream,
            4 => Self::Settings,
            5 => Self::PushPromise,
            6 => Self::Ping,
            7 => Self::GoAway,
            8 => Self::WindowUpdate,
            9 => Self::Continuation,
            0xa | 0xc | 0x10 => Self::Extension,
            _ => Self::Unknown,
        }
    }

    /// Whether its payload holds a fragment of a field block.
    pub(super) fn has_fragment(self) -> bool {
        matches!(self, Self::Headers | Self::PushPromise | Self::Continuation)
    }

    fn flags(self) -> u8 {
        match self {
            Self::Data => END_STREAM | PADDED,
            Self::Headers => END_STREAM | END_HEADERS | PADDED | PRIORITY,
            Self::PushPromise => END_HEADERS | PADDED,
            Self::Settings | Self::Ping => ACK,
            Self::Continuation => END_HEADERS,
            _ => 0,
        }
    }
}

/// A frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    len: u32,
    pub(super) kind: Type,
    flags: u8,
    /// The reserved bit, and the stream identifier.
    word: u32,
}

impl Header {
    pub(super) fn parse(octets: [u8; HEADER_BYTES]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = octets;
        let len = u32::from_be_bytes([0, a, b, c]);
        Self { len, kind: Type::of(kind), flags, word: u32::from_be_bytes(stream) }
    }

    /// The header at the front of `bytes`.
    pub(super) fn at(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().copied().map(Self::parse)
    }

    pub(super) fn payload_len(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    /// Octets of the content of DATA, whose Pad Length, if it has one, is `padding`; `None`: there
    /// is more padding than payload.
    pub(super) fn content_len(&self, padding: Option<u8>) -> Option<u64> {
        let padding = padding.map_or(0, |padding| 1 + u64::from(padding));
        u64::from(self.len).checked_sub(padding)
    }

    pub(super) fn stream(&self) -> u32 {
        self.word & (u32::MAX >> 1)
    }

    /// The sender's last frame of the stream.
    pub(super) fn ends_stream(&self) -> bool {
        matches!(self.kind, Type::Data | Type::Headers) && self.flags & END_STREAM != 0
    }

    pub(super) fn ends_headers(&self) -> bool {
        self.flags & END_HEADERS != 0
    }

    pub(super) fn is_padded(&self) -> bool {
        self.flags & PADDED & self.kind.flags() != 0
    }

    pub(super) fn has_priority(&self) -> bool {
        self.kind == Type::Headers && self.flags & PRIORITY != 0
    }

    /// Whether it may begin the connection of a side (RFC 9113 section 3.4).
    pub(super) fn begins_connection(&self) -> bool {
        self.kind == Type::Settings && self.flags & ACK == 0
    }

    /// Whether a connection that `side` sends it on goes on.
    pub(super) fn is_valid(&self, side: Side) -> bool {
        let (len, on_stream) = (self.len, self.stream() != 0);
        match self.kind {
            Type::Data => on_stream && (len > 0 || !self.is_padded()),
            Type::Headers | Type::Continuation => on_stream,
            Type::Priority => on_stream && len == 5,
            Type::RstStream => on_stream && len == 4,
            Type::Settings => !on_stream && len.is_multiple_of(6),
            Type::PushPromise => on_stream && len >= 4 && side == Side::Server,
            Type::Ping => !on_stream && len == 8,
            Type::GoAway => !on_stream && len >= 8,
            Type::WindowUpdate => len == 4,
            Type::Extension | Type::Unknown => true,
        }
    }

    /// Whether `side` would write it so.
    pub(super) fn is_plausible(&self, side: Side) -> bool {
        let is_empty = self.kind == Type::Data && self.len == 0 && !self.ends_stream();
        let is_usual = self.len <= USUAL_MAX_BYTES && !is_empty;
        let is_defined = self.kind != Type::Unknown && self.flags & !self.kind.flags() == 0;
        // Clients begin streams with odd identifiers (RFC 9113 section 5.1.1), and so only send
        // on those.
        let is_own = match (self.kind, side) {
            (Type::Headers | Type::Data | Type::Continuation, Side::Client)
            | (Type::PushPromise, Side::Server) => self.stream() % 2 == 1,
            _ => true,
        };
        self.is_valid(side) && is_usual && is_defined && is_own && self.word == self.stream()
    }
}
