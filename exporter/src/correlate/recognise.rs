//! Which protocol a connection speaks, from how it begins or, where its begin was missed, from how
//! a segment begins.
//!
//! A connection whose begin was seen is judged leniently, for what follows will tell; one that was
//! joined is judged strictly, for any bytes may stand anywhere.

use crate::dns::Protocol;
use crate::flow::{Side, Tuple};
use crate::parse::http2::PREFACE;
use crate::parse::{Parsed, dns, http1, http2, tls};

use super::conversation::Conversation;
use super::dns::Stream;
use super::http1::Http1;
use super::http2::Http2;
use super::tls::Tls;

/// A protocol that is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Http1,
    Http2,
    Tls,
    Dns(Protocol),
}

impl Kind {
    /// A connection of which nothing was missed; `None` where the protocol is not read.
    pub(super) fn begun(self) -> Option<Box<dyn Conversation>> {
        match self {
            Self::Http1 => Some(Box::new(Http1::new())),
            Self::Http2 => Some(Box::new(Http2::new())),
            Self::Tls => Some(Box::new(Tls::new())),
            Self::Dns(protocol) => Some(Box::new(Stream::new(protocol))),
        }
    }

    /// A connection that was joined in mid-stream; `lost`: requests may wait for responses.
    pub(super) fn joined(self, lost: bool) -> Option<Box<dyn Conversation>> {
        match self {
            Self::Http1 => Some(Box::new(Http1::joined(0, lost))),
            Self::Http2 => Some(Box::new(Http2::joined())),
            Self::Tls => Some(Box::new(Tls::joined())),
            Self::Dns(protocol) => Some(Box::new(Stream::joined(protocol))),
        }
    }
}

/// The first line of the client connection preface (RFC 9113 section 3.4).
const PREFACE_LINE: &[u8] = b"PRI * HTTP/2.0\r\n";
/// A frame header (RFC 9113 section 4.1).
const FRAME_HEADER_BYTES: usize = 9;

/// What a connection to `server_port` speaks whose `side` begins with `bytes`.
pub(super) fn first_bytes(side: Side, bytes: &[u8], server_port: u16) -> Parsed<Kind> {
    let protocol = Protocol::of_port(server_port);
    match (side, bytes) {
        (_, []) | (_, [0x16] | [0x16, 3]) => Parsed::NeedMore,
        (_, [0x16, 3, 0..=4, ..]) => Parsed::Message(Kind::Tls),
        (Side::Client, _) if bytes.starts_with(PREFACE_LINE) => Parsed::Message(Kind::Http2),
        (Side::Client, [b'P', b'R', ..]) if PREFACE_LINE.starts_with(bytes) => Parsed::NeedMore,
        _ if side == Side::Client || protocol.is_some() => first_message(bytes, protocol),
        (Side::Server, [0, ..]) => server_preface(bytes),
        _ => Parsed::Message(Kind::Http1),
    }
}

/// DNS, on a port of its own or beyond doubt, else HTTP/1.
fn first_message(bytes: &[u8], protocol: Option<Protocol>) -> Parsed<Kind> {
    match dns::first_bytes(bytes, protocol.is_some()) {
        Parsed::Message(()) => Parsed::Message(Kind::Dns(protocol.unwrap_or_default())),
        Parsed::NeedMore => Parsed::NeedMore,
        Parsed::NotThisProtocol => Parsed::Message(Kind::Http1),
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

/// What a connection speaks of which one segment, sent as `tuple` says, begins with `bytes`, and
/// which side sent it. `NeedMore`: show the same bytes again with the next; `NotThisProtocol`: another segment may
/// tell.
pub(super) fn mid_stream(bytes: &[u8], tuple: Tuple) -> Parsed<(Kind, Side)> {
    match (tls::side_of(bytes), http1::side_of(bytes)) {
        (Parsed::Message(side), _) => Parsed::Message((Kind::Tls, side)),
        (Parsed::NeedMore, _) => Parsed::NeedMore,
        (_, Parsed::Message(side)) => Parsed::Message((Kind::Http1, side)),
        (_, _) if bytes.starts_with(PREFACE) => Parsed::Message((Kind::Http2, Side::Client)),
        (_, _) => match http2::side_of(bytes) {
            Parsed::Message(side) => Parsed::Message((Kind::Http2, side)),
            Parsed::NeedMore | Parsed::NotThisProtocol => dns_in_mid_stream(bytes, tuple),
        },
    }
}

/// On a port of DNS any segment may be of it; on others, one that begins with a message is.
fn dns_in_mid_stream(bytes: &[u8], tuple: Tuple) -> Parsed<(Kind, Side)> {
    if let Some(protocol) = Protocol::of_port(tuple.destination.port) {
        return Parsed::Message((Kind::Dns(protocol), Side::Client));
    }
    if let Some(protocol) = Protocol::of_port(tuple.source.port) {
        return Parsed::Message((Kind::Dns(protocol), Side::Server));
    }
    match bytes {
        [_, _, _, _, flags, ..] if dns::begins_message(bytes) => {
            let side = if flags & 0x80 == 0 { Side::Client } else { Side::Server };
            Parsed::Message((Kind::Dns(Protocol::Dns), side))
        }
        _ => Parsed::NotThisProtocol,
    }
}

/// Whether a segment of these bytes, which does not tell, is of a protocol that another segment
/// will tell.
pub(super) fn will_tell(bytes: &[u8]) -> bool {
    http2::side_of(bytes) == Parsed::NeedMore
}

#[cfg(test)]
mod tests {
    use super::{Kind, Parsed, Protocol, Side, Tuple, first_bytes, http2, mid_stream, will_tell};
    use crate::dns::samples::{query, response};
    use crate::flow::Endpoint;
    use crate::parse::http2::samples::{END_HEADERS, GET_AGAIN, HEADERS, SETTINGS, frame};

    fn ports(source: u16, destination: u16) -> Tuple {
        let endpoint = |port| Endpoint { address: [0; 16], port };
        Tuple { source: endpoint(source), destination: endpoint(destination) }
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        let len = u16::try_from(message.len()).expect("a test's message is short");
        [&len.to_be_bytes(), message].concat()
    }

    #[test]
    fn dns_is_told_on_any_port_by_what_it_is_and_on_its_own_by_its_length() {
        let asked = framed(&query(1, "www.example.com", 1));
        let dns = Parsed::Message(Kind::Dns(Protocol::Dns));
        assert_eq!(first_bytes(Side::Client, &asked, 8053), dns);
        assert_eq!(first_bytes(Side::Client, &asked[..10], 8053), Parsed::NeedMore);
        for side in [Side::Client, Side::Server] {
            assert_eq!(first_bytes(side, &asked[..2], 53), dns);
        }
        let http = Parsed::Message(Kind::Http1);
        assert_eq!(first_bytes(Side::Client, b"GET / HTTP/1.1\r\n", 53), http);
    }

    #[test]
    fn dns_is_told_in_mid_stream_by_a_message_or_by_its_port() {
        let of = |side| Parsed::Message((Kind::Dns(Protocol::Dns), side));
        let asked = framed(&query(1, "www.example.com", 1));
        let answered = framed(&response(1, "www.example.com", &[[192, 0, 2, 1]]));
        assert_eq!(mid_stream(&asked, ports(40000, 8053)), of(Side::Client));
        assert_eq!(mid_stream(&answered, ports(8053, 40000)), of(Side::Server));
        assert_eq!(mid_stream(&answered[5..], ports(8053, 40000)), Parsed::NotThisProtocol);
        assert_eq!(mid_stream(&answered[5..], ports(53, 40000)), of(Side::Server));
        assert_eq!(mid_stream(&asked[5..], ports(40000, 53)), of(Side::Client));
    }

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
            assert_eq!(first_bytes(side, bytes, 8080), Parsed::Message(kind), "{bytes:?}");
        }
    }

    #[test]
    fn no_prefix_tells_another_protocol_than_the_whole() {
        for (side, bytes) in [
            (Side::Client, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice()),
            (Side::Server, &[0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 3]),
            (Side::Client, &[0x16, 3, 1, 2, 0, 1]),
        ] {
            let whole = first_bytes(side, bytes, 8080);
            for cut in 0..bytes.len() {
                let part = first_bytes(side, &bytes[..cut], 8080);
                // One letter may begin any method.
                let may_differ = part == Parsed::NeedMore || cut == 1 && bytes[0] == b'P';
                assert!(part == whole || may_differ, "cut at {cut}: {part:?}");
            }
        }
    }

    #[test]
    fn http2_is_told_in_mid_stream_by_its_preface_or_a_head() {
        let tuple = ports(40000, 80);
        let client = Parsed::Message((Kind::Http2, Side::Client));
        assert_eq!(mid_stream(http2::PREFACE, tuple), client);
        let request = frame(HEADERS, END_HEADERS, 9, GET_AGAIN);
        assert_eq!(mid_stream(&request, tuple), client);
        let settings = frame(SETTINGS, 1, 0, b"");
        assert_eq!(mid_stream(&settings, tuple), Parsed::NotThisProtocol);
        assert!(will_tell(&settings) && !will_tell(b"hello"));
    }

    #[test]
    fn content_is_nothing_in_mid_stream() {
        for bytes in [b"hello".as_slice(), b"\x17\x03\x03\x00\x10", b"PUT it there, please\r\n"] {
            assert_eq!(mid_stream(bytes, ports(40000, 8080)), Parsed::NotThisProtocol, "{bytes:?}");
        }
    }
}
