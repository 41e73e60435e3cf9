//! DNS over a stream: each message stands behind its length in two octets (RFC 1035 section
//! 4.2.2).
//!
//! A length is believed only where messages follow one another without a gap. Behind a gap they
//! begin anew with a segment that begins with a message which is DNS beyond doubt.

use super::{Source, Unreadable, may_begin, message, strict_message};
use crate::dns::{Message, Protocol};
use crate::parse::Parsed;

/// Octets of a length.
const LENGTH_BYTES: usize = 2;
/// Octets of a header.
const HEADER_BYTES: usize = 12;
/// Messages in a row that cannot be read before the stream is taken for something else.
const MALFORMED_MAX: u32 = 8;
/// Segments that may pass before one begins messages anew.
const PROBES_MAX: u32 = 64;
/// On a port that is not of DNS, a first query is not longer than any that resolvers send.
const FIRST_QUERY_MAX_BYTES: usize = 512;
/// No first message begins with a greater octet, for it would have 8 KiB; text does.
const FIRST_OCTET_MAX: u8 = 0x1f;

/// The messages of one direction.
#[derive(Debug, Default)]
pub struct Frames {
    is_multicast: bool,
    /// The begin of a message that is not whole, from its length on.
    buffer: Vec<u8>,
    /// So many of the next bytes are of a message of which others were lost.
    skip: u64,
    /// Where messages begin is not known, and so many segments did not tell.
    probes: Option<u32>,
    malformed: u32,
}

impl Frames {
    /// A direction whose first bytes were seen.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Self { is_multicast: protocol == Protocol::Mdns, ..Self::default() }
    }

    /// A direction that was joined in mid-stream.
    #[must_use]
    pub fn joined(protocol: Protocol) -> Self {
        Self { probes: Some(0), ..Self::new(protocol) }
    }

    /// Takes bytes, and gives what messages they complete. `false`: this is not DNS.
    pub fn read(
        &mut self,
        bytes: &[u8],
        mut give: impl FnMut(Result<Message, Unreadable>),
    ) -> bool {
        let mut bytes = self.skipped(bytes);
        let probed;
        if let Some(probes) = self.probes.filter(|_| !bytes.is_empty()) {
            match self.probe(bytes) {
                Some(begun) => probed = begun,
                None => return probes < PROBES_MAX,
            }
            bytes = &probed;
        }
        if !self.buffer.is_empty() {
            bytes = self.fill(bytes, &mut give);
        }
        while let Some((message, rest)) = split(bytes) {
            give(self.message(message));
            bytes = rest;
        }
        self.buffer.extend_from_slice(bytes);
        self.malformed < MALFORMED_MAX
    }

    /// Looks whether messages begin with this segment, or with those that are kept and this one:
    /// then gives their bytes.
    fn probe(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut begun = std::mem::take(&mut self.buffer);
        begun.extend_from_slice(bytes);
        let mut seen = begins(&begun, usize::MAX);
        if seen == Parsed::NotThisProtocol && begun.len() > bytes.len() {
            begun = bytes.to_vec();
            seen = begins(&begun, usize::MAX);
        }
        match seen {
            Parsed::Message(()) => {
                self.probes = None;
                return Some(begun);
            }
            Parsed::NeedMore => self.buffer = begun,
            Parsed::NotThisProtocol => {}
        }
        self.probes = self.probes.map(|probes| probes + 1);
        None
    }

    /// What is behind the bytes that nobody can read.
    fn skipped<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let len = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= len as u64;
        bytes.get(len..).unwrap_or_default()
    }

    /// Completes what is kept, as far as the bytes go, and gives what is behind.
    fn fill<'a>(
        &mut self,
        mut bytes: &'a [u8],
        give: &mut impl FnMut(Result<Message, Unreadable>),
    ) -> &'a [u8] {
        while !bytes.is_empty() {
            let whole = length(&self.buffer).map_or(LENGTH_BYTES, |len| LENGTH_BYTES + len);
            let missing = whole.saturating_sub(self.buffer.len());
            let (piece, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
            self.buffer.extend_from_slice(piece);
            bytes = rest;
            let buffer = std::mem::take(&mut self.buffer);
            if let Some((message, _)) = split(&buffer) {
                give(self.message(message));
                break;
            }
            self.buffer = buffer;
        }
        bytes
    }

    fn message(&mut self, bytes: &[u8]) -> Result<Message, Unreadable> {
        let len = u32::try_from(bytes.len()).map_err(|_| Unreadable::Malformed)?;
        let message = message(bytes, Source { len, is_multicast: self.is_multicast });
        self.malformed = if message.is_ok() { 0 } else { self.malformed + 1 };
        message
    }

    /// `len` bytes are missing. Whether a message that had begun is lost with them.
    pub fn gap(&mut self, len: u64) -> bool {
        let had_begun = self.has_begun();
        let whole = length(&self.buffer).map(|len| LENGTH_BYTES + len);
        let missing = whole.map(|whole| (whole - self.buffer.len()) as u64);
        let left = missing.unwrap_or(0).max(self.skip).checked_sub(len);
        if left.is_none() {
            self.probes = Some(0);
        }
        self.skip = left.unwrap_or(0);
        self.buffer = Vec::new();
        had_begun
    }

    /// Whether what is kept is the begin of a message, and not only may be one.
    fn has_begun(&self) -> bool {
        self.probes.is_none() && !self.buffer.is_empty()
    }

    /// No more bytes come. Whether a message had begun.
    pub fn finish(&mut self) -> bool {
        let had_begun = self.has_begun();
        self.buffer = Vec::new();
        had_begun
    }

    /// Bytes that are kept of a message that is not whole.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.buffer.capacity()
    }
}

/// The length that stands before a message.
fn length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk::<LENGTH_BYTES>()?;
    Some(u16::from_be_bytes(*length).into())
}

/// The first message, without its length, and what is behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = length(bytes)?;
    bytes.get(LENGTH_BYTES..)?.split_at_checked(len)
}

/// Whether the bytes begin with a whole message that is DNS beyond doubt.
#[must_use]
pub fn begins_message(bytes: &[u8]) -> bool {
    begins(bytes, usize::MAX) == Parsed::Message(())
}

/// Whether a stream that begins with these bytes is DNS; `is_known`: its port is of DNS.
#[must_use]
pub fn first_bytes(bytes: &[u8], is_known: bool) -> Parsed<()> {
    let (Some(first), len) = (bytes.first(), length(bytes)) else { return Parsed::NeedMore };
    if *first > FIRST_OCTET_MAX || len.is_some_and(|len| len < HEADER_BYTES) {
        return Parsed::NotThisProtocol;
    }
    if len.is_none() {
        return Parsed::NeedMore;
    }
    if is_known { Parsed::Message(()) } else { begins(bytes, FIRST_QUERY_MAX_BYTES) }
}

/// Whether the bytes begin with a message of at most `max` bytes that is DNS beyond doubt.
fn begins(bytes: &[u8], max: usize) -> Parsed<()> {
    let Some(message) = bytes.get(LENGTH_BYTES..) else { return Parsed::NeedMore };
    let len = length(bytes).unwrap_or(0);
    let may_begin = message.len() < HEADER_BYTES || may_begin(message);
    if !(HEADER_BYTES..=max).contains(&len) || !may_begin {
        return Parsed::NotThisProtocol;
    }
    match message.get(..len) {
        None => Parsed::NeedMore,
        Some(message) if strict_message(message).is_some() => Parsed::Message(()),
        Some(_) => Parsed::NotThisProtocol,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::{Frames, Parsed, Protocol, Unreadable, first_bytes};
    use crate::dns::samples::{query, response};

    fn framed(message: &[u8]) -> Vec<u8> {
        let len = u16::try_from(message.len()).expect("a test's message is short");
        [&len.to_be_bytes(), message].concat()
    }

    /// The ids of what is read of the pieces; `None` is a message that cannot be read.
    fn ids(frames: &mut Frames, pieces: &[&[u8]]) -> Vec<Option<u16>> {
        let mut ids = Vec::new();
        for piece in pieces {
            frames.read(piece, |read| ids.push(read.ok().map(|message| message.id)));
        }
        ids
    }

    fn stream() -> Vec<u8> {
        let messages = [query(1, "a.example", 1), response(2, "b.example", &[[192, 0, 2, 1]])];
        messages.iter().flat_map(|message| framed(message)).collect()
    }

    #[test]
    fn every_split_gives_the_same_messages() {
        let bytes = stream();
        for cut in 0..=bytes.len() {
            let mut frames = Frames::new(Protocol::Dns);
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(ids(&mut frames, &[head, tail]), [Some(1), Some(2)], "cut at {cut}");
            assert!(!frames.finish());
        }
        let octets: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(ids(&mut Frames::new(Protocol::Dns), &octets), [Some(1), Some(2)]);
    }

    #[test]
    fn a_gap_within_a_message_costs_that_message_alone() {
        let bytes = stream();
        let first = framed(&query(1, "a.example", 1)).len();
        for (start, end) in
            (2..first).flat_map(|start| (start + 1..=first).map(move |e| (start, e)))
        {
            let mut frames = Frames::new(Protocol::Dns);
            assert_eq!(ids(&mut frames, &[&bytes[..start]]), []);
            assert!(frames.gap((end - start) as u64), "{start}..{end}");
            assert_eq!(ids(&mut frames, &[&bytes[end..]]), [Some(2)], "{start}..{end}");
        }
    }

    #[test]
    fn behind_a_gap_messages_begin_with_a_segment_that_is_one() {
        let bytes = stream();
        let mut frames = Frames::new(Protocol::Dns);
        assert!(!frames.gap(100));
        assert_eq!(ids(&mut frames, &[&bytes[1..], b"\x00\x05hello", &bytes]), [Some(1), Some(2)]);
        assert_eq!(
            ids(&mut Frames::joined(Protocol::Dns), &[&bytes[4..], &bytes]),
            [Some(1), Some(2)]
        );
    }

    #[test]
    fn behind_a_gap_a_message_may_come_in_pieces() {
        let bytes = stream();
        for cut in 1..=29 {
            let (head, tail) = bytes.split_at(cut);
            let mut frames = Frames::joined(Protocol::Dns);
            let read = ids(&mut frames, &[b"\x00\x05x", head, tail]);
            assert_eq!(read, [Some(1), Some(2)], "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_message_is_told_and_read_over() {
        let bytes = [framed(&[0xff; 20]), framed(&[]), framed(&query(3, "c.example", 1))].concat();
        assert_eq!(ids(&mut Frames::new(Protocol::Dns), &[&bytes]), [None, None, Some(3)]);
    }

    #[test]
    fn a_stream_of_something_else_is_given_up() {
        let mut frames = Frames::new(Protocol::Dns);
        let one = framed(&[0xff; 20]);
        let goes_on: Vec<_> = (0..8).map(|_| frames.read(&one, |_| ())).collect();
        assert_eq!(goes_on, [true, true, true, true, true, true, true, false]);
        let mut joined = Frames::joined(Protocol::Dns);
        assert!((0..64).all(|_| joined.read(b"hello", |_| ())));
        assert!(!joined.read(b"hello", |_| ()));
    }

    #[test]
    fn no_prefix_of_a_query_is_something_else() {
        let bytes = framed(&query(1, "a.example", 1));
        for is_known in [false, true] {
            for cut in 0..bytes.len() {
                let seen = first_bytes(&bytes[..cut], is_known);
                let expected =
                    if is_known && cut >= 2 { Parsed::Message(()) } else { Parsed::NeedMore };
                assert_eq!(seen, expected, "cut at {cut}");
            }
            assert_eq!(first_bytes(&bytes, is_known), Parsed::Message(()));
        }
    }

    #[test]
    fn text_and_tls_are_no_dns_on_any_port() {
        for bytes in [b"GET / HTTP/1.1\r\n".as_slice(), b"SSH-2.0-x\r\n", b"\x00\x05hello"] {
            for is_known in [false, true] {
                assert_eq!(first_bytes(bytes, is_known), Parsed::NotThisProtocol, "{bytes:?}");
            }
        }
        let hello = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 32]].concat();
        assert_eq!(first_bytes(&hello, false), Parsed::NotThisProtocol);
    }

    proptest! {
        #[test]
        fn no_split_of_any_bytes_changes_what_is_read(
            bytes in vec(any::<u8>(), 0..200),
            at in any::<usize>(),
        ) {
            // Lengths that random bytes have would reach beyond them.
            let bytes: Vec<u8> = bytes.chunks(20).flat_map(framed).collect();
            let (head, tail) = bytes.split_at(at % (bytes.len() + 1));
            let whole = ids(&mut Frames::new(Protocol::Dns), &[&bytes]);
            assert_eq!(ids(&mut Frames::new(Protocol::Dns), &[head, tail]), whole);
        }
    }

    #[test]
    fn a_message_of_which_bytes_are_missing_is_never_read() {
        let mut frames = Frames::new(Protocol::Dns);
        let bytes = framed(&query(1, "a.example", 1));
        frames.read(&bytes[..20], |read| panic!("{read:?}"));
        assert!(frames.finish());
        assert_eq!(frames.cost(), 0);
        let mut given: Vec<Result<_, Unreadable>> = Vec::new();
        frames.read(&bytes, |read| given.push(read));
        assert_eq!(given.len(), 1);
    }
}
