//! Handshake messages (RFC 8446 section 4): their fragments, from whatever records, put together.

use crate::flow::Timestamp;
use crate::tls::Timing;

/// The largest hello that is read. The format allows 16 MiB; clients with post-quantum keys send
/// a few KiB.
pub const HELLO_MAX_BYTES: usize = 64 * 1024;
const HEADER_BYTES: usize = 4;

pub(super) const HELLO_REQUEST: u8 = 0;
pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;

/// What some bytes made of the message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is not whole.
    More,
    /// Its type is known.
    Begun(u8),
    /// It is larger than [`HELLO_MAX_BYTES`].
    TooLarge,
    /// Its type and its body.
    Whole(u8, Vec<u8>, Timing),
}

/// The message so far.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    header: Vec<u8>,
    body: Vec<u8>,
    first_byte: Timestamp,
}

impl Handshake {
    /// How many bytes the next step takes at most.
    pub(super) fn wants(&self) -> usize {
        match self.header.len() {
            0 => 1,
            len if len < HEADER_BYTES => HEADER_BYTES - len,
            _ => self.body_len() - self.body.len(),
        }
    }

    /// Adds bytes, at most as many as [`Self::wants`].
    pub(super) fn add(&mut self, bytes: &[u8], at: Timestamp) -> Taken {
        if self.header.is_empty() {
            self.first_byte = at;
        }
        if self.header.len() == HEADER_BYTES {
            self.body.extend_from_slice(bytes);
        } else {
            self.header.extend_from_slice(bytes);
        }
        match self.header.as_slice() {
            [kind] => return Taken::Begun(*kind),
            [_, _, _, _] => {}
            _ => return Taken::More,
        }
        if self.body_len() > HELLO_MAX_BYTES {
            return Taken::TooLarge;
        }
        if self.body.len() < self.body_len() { Taken::More } else { self.whole(at) }
    }

    fn whole(&mut self, complete: Timestamp) -> Taken {
        let message = std::mem::take(self);
        let kind = message.header.first().copied().unwrap_or_default();
        let timing = Timing { first_byte: message.first_byte, complete };
        Taken::Whole(kind, message.body, timing)
    }

    fn body_len(&self) -> usize {
        match self.header.as_slice() {
            [_, high, middle, low] => {
                usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low)
            }
            _ => 0,
        }
    }

    /// Whether there are bytes of a message that is not whole.
    pub(super) fn has_begun(&self) -> bool {
        !self.header.is_empty()
    }

    /// How many bytes are kept.
    pub(super) fn buffered(&self) -> usize {
        self.body.len()
    }
}
