//! The bytes of one message, read in order; names follow pointers back.
//!
//! Every length and every pointer in a message is chosen by a stranger: bytes are taken only
//! through [`Reader`], which cannot run past its end, and a pointer leads only to a name that ends
//! before the one it is part of begins (RFC 1035 section 4.1.4: a prior occurrence), so that no chain
//! of them is endless, and what is captured of a message says all that the names in it are.

use super::Error;
use super::text::push_label;

/// Most octets of a name (RFC 1035 section 2.3.4).
const NAME_MAX_BYTES: usize = 255;
/// Most octets of a label; above, the length octet says something else (RFC 1035 section 4.1.4).
const LABEL_MAX_BYTES: u8 = 63;
/// A pointer begins with these bits.
const POINTER: u8 = 0xc0;
/// The header is no place for a name.
const HEADER_BYTES: usize = 12;

/// A place in a message, and an end before which to stay.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { message, at: 0, end: message.len() }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.end - self.at
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.end).ok_or(Error::Short)?;
        let taken = self.message.get(self.at..end).ok_or(Error::Short)?;
        self.at = end;
        Ok(taken)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = self.message.get(self.at..self.end).unwrap_or_default();
        self.at = self.end;
        rest
    }

    /// The next `len` bytes on their own; names in them may still point to what is before.
    pub(super) fn part(&mut self, len: usize) -> Result<Self, Error> {
        let at = self.at;
        self.take(len)?;
        Ok(Self { message: self.message, at, end: self.at })
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.take(N)?.try_into().map_err(|_| Error::Short)
    }

    /// A length octet and as many bytes: a label's neighbour, the character-string
    /// (RFC 1035 section 3.3).
    pub(super) fn string(&mut self) -> Result<&'a [u8], Error> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// A name, appended to `text` without its final dot; the root is a dot.
    pub(super) fn name(&mut self, text: &mut String) -> Result<(), Error> {
        let start = text.len();
        let mut labels = self.clone();
        let mut before = self.at;
        let mut after = None;
        let mut size = 1; // the root's length octet
        // A name that was pointed to has all its bytes before this one.
        let short = |after: Option<usize>| after.map_or(Error::Short, |_| Error::Malformed);
        loop {
            match labels.u8().map_err(|_| short(after))? {
                0 => break,
                len @ ..=LABEL_MAX_BYTES => {
                    size += 1 + usize::from(len);
                    if size > NAME_MAX_BYTES {
                        return Err(Error::Malformed);
                    }
                    if text.len() > start {
                        text.push('.');
                    }
                    push_label(text, labels.take(usize::from(len)).map_err(|_| short(after))?);
                }
                high @ POINTER.. => {
                    let target = u16::from_be_bytes([
                        high & !POINTER,
                        labels.u8().map_err(|_| short(after))?,
                    ])
                    .into();
                    after.get_or_insert(labels.at);
                    if !(HEADER_BYTES..before).contains(&target) {
                        return Err(Error::Malformed);
                    }
                    labels = Self { at: target, end: before, ..labels };
                    before = target;
                }
                _ => return Err(Error::Malformed),
            }
        }
        self.at = after.unwrap_or(labels.at);
        if text.len() == start {
            text.push('.');
        }
        Ok(())
    }
}
