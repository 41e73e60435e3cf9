//! Bytes as they were captured: what there is of them, and how many there were.

use super::Error;

/// What was captured of some bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured<'a> {
    bytes: &'a [u8],
    /// How many there were; never less than `bytes`.
    len: usize,
}

impl<'a> Captured<'a> {
    /// `len` bytes, of which the first were captured.
    #[must_use]
    pub fn new(bytes: &'a [u8], len: usize) -> Self {
        Self { bytes, len: len.max(bytes.len()) }
    }

    /// All there were.
    #[must_use]
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, len: bytes.len() }
    }

    /// What was captured.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// How many bytes there were.
    #[must_use]
    pub fn len(self) -> usize {
        self.len
    }

    /// Whether there was none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The first `N` bytes.
    pub(super) fn header<const N: usize>(self) -> Result<&'a [u8; N], Error> {
        self.bytes.first_chunk().ok_or_else(|| self.lacks(N))
    }

    pub(super) fn u8_at(self, at: usize) -> Result<u8, Error> {
        self.skip(at)?.header().map(|[byte]| *byte)
    }

    pub(super) fn u16_at(self, at: usize) -> Result<u16, Error> {
        self.skip(at)?.header().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(super) fn u32_at(self, at: usize) -> Result<u32, Error> {
        self.skip(at)?.header().map(|bytes| u32::from_be_bytes(*bytes))
    }

    pub(super) fn le_u16_at(self, at: usize) -> Result<u16, Error> {
        self.u16_at(at).map(u16::swap_bytes)
    }

    pub(super) fn le_u32_at(self, at: usize) -> Result<u32, Error> {
        self.u32_at(at).map(u32::swap_bytes)
    }

    /// What is behind the first `n` bytes, captured or not.
    pub(super) fn skip(self, n: usize) -> Result<Self, Error> {
        let len = self.len.checked_sub(n).ok_or(Error::Malformed)?;
        Ok(Self { bytes: self.bytes.get(n..).unwrap_or_default(), len })
    }

    /// Its length as its own header tells it: what is behind is padding. A header that tells more
    /// than was on the wire speaks of a packet that was cut before it was captured.
    pub(super) fn of_len(self, len: usize) -> Self {
        Self { bytes: self.bytes.get(..len).unwrap_or(self.bytes), len }
    }

    /// The same, of a header whose length is of no use where it tells more than there is.
    pub(super) fn of_len_within(self, len: usize) -> Self {
        self.of_len(len.min(self.len))
    }

    /// Why the first `n` bytes are not all there.
    pub(super) fn lacks(self, n: usize) -> Error {
        if n <= self.len { Error::CutShort } else { Error::Malformed }
    }
}
