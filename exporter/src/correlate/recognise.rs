//! Which protocol a connection speaks, from how it begins or, where its begin was missed, from how
//! a segment begins.
//!
//! A connection whose begin was seen is judged leniently, for what follows will tell; one that was
//! joined is judged strictly, for any bytes may stand anywhere.

use crate::flow::Side;
use crate::parse::{Parsed, http1, tls};

use super::conversation::Conversation;
use super::http1::Http1;
use super::tls::Tls;

/// A protocol that is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Http1,
    Http2,
    Tls,
}

impl Kind {
    /// A connection of which nothing was missed; `None` where the protocol is not read.
    pub(super) fn begun(self) -> Option<Box<dyn Conversation>> {
        match self {
            Self::Http1 => Some(Box::new(Http1::new())),
            Self::Tls => Some(Box::new(Tls::new())),
            Self::Http2 => None,
        }
    }

    /// A connection that was joined in mid-stream; `lost`: requests may wait for responses.
    pub(super) fn joined(self, lost: bool) -> Option<Box<dyn Conversation>> {
        match self {
            Self::Http1 => Some(Box::new(Http1::joined(0, lost))),
            Self::Tls => Some(Box::new(Tls::joined())),
            Self::Http2 => None,
        }
    }
}

/// The first line of the client connection preface (RFC 9113 section 3.4).
const PREFACE_LINE: &[u8] = b"PRI * HTTP/2.0\r\n";
/// A frame header (RFC 9113 section 4.1).
const FRAME_HEADER_BYTES: usize = 9;

/// What a connection speaks whose `side` begins with `bytes`.
pub(super) fn first_bytes(side: Side, bytes: &[u8]) -> Parsed<Kind> {
    match (side, bytes) {
        (_, []) | (_, [0x16] | [0x16, 3]) => Parsed::NeedMore,
        (_, [0x16, 3, 0..=4, ..]) => Parsed::Message(Kind::Tls),
        (Side::Client, _) if bytes.starts_with(PREFACE_LINE) => Parsed::Message(Kind::Http2),
        (Side::Client, [b'P', b'R', ..]) if PREFACE_LINE.starts_with(bytes) => Parsed::NeedMore,
        (Side::Server, [0, ..]) => server_preface(bytes),
        _ => Parsed::Message(Kind::Http1),
    }
}

/// A server may send its SETTINGS before it has heard from the client (RFC 9113 section 3.4).
fn server_preface(bytes: &[u8]) -> Parsed<Kind> {
    match bytes {
        [0, 0, len, 4, 0, 0, 0, 0, 0, ..] if len % 6 == 0 => Parsed::Message(Kind::Http2),
        _ if bytes.len() < FRAME_HEADER_BYTES && bytes.iter().take(2).all(|byte| *byte == 0) => {
            Parsed::NeedMore
        }
        _ => Parsed::NotThisProtocol,
    }
}

/// What a connection speaks of which one segment begins with `bytes`, and which side sent it.
/// `NeedMore`: show the same bytes again with the next; `NotThisProtocol`: another segment may
/// tell.
pub(super) fn mid_stream(bytes: &[u8]) -> Parsed<(Kind, Side)> {
    match (tls::side_of(bytes), http1::side_of(bytes)) {
        (Parsed::Message(side), _) => Parsed::Message((Kind::Tls, side)),
        (Parsed::NeedMore, _) => Parsed::NeedMore,
        (_, Parsed::Message(side)) => Parsed::Message((Kind::Http1, side)),
        (_, _) => Parsed::NotThisProtocol,
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Parsed, Side, first_bytes, mid_stream};

    #[test]
    fn first_bytes_tell_the_protocol() {
        for (side, bytes, kind) in [
            (Side::Client, b"GET / HTTP/1.1\r\n".as_slice(), Kind::Http1),
            (Side::Client, b"PRIVATE / HTTP/1.1\r\n", Kind::Http1),
            (Side::Client, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Kind::Http2),
            (Side::Server, &[0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 3], Kind::Http2),
            (Side::Server, b"HTTP/1.1 200 OK\r\n", Kind::Http1),
            (Side::Client, &[0x16, 3, 1, 2, 0, 1], Kind::Tls),
        ] {
            assert_eq!(first_bytes(side, bytes), Parsed::Message(kind), "{bytes:?}");
        }
    }

    #[test]
    fn no_prefix_tells_another_protocol_than_the_whole() {
        for (side, bytes) in [
            (Side::Client, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice()),
            (Side::Server, &[0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 3]),
            (Side::Client, &[0x16, 3, 1, 2, 0, 1]),
        ] {
            let whole = first_bytes(side, bytes);
            for cut in 0..bytes.len() {
                let part = first_bytes(side, &bytes[..cut]);
                // One letter may begin any method.
                let may_differ = part == Parsed::NeedMore || cut == 1 && bytes[0] == b'P';
                assert!(part == whole || may_differ, "cut at {cut}: {part:?}");
            }
        }
    }

    #[test]
    fn content_is_nothing_in_mid_stream() {
        for bytes in [b"hello".as_slice(), b"\x17\x03\x03\x00\x10", b"PUT it there, please\r\n"] {
            assert_eq!(mid_stream(bytes), Parsed::NotThisProtocol, "{bytes:?}");
        }
    }
}
