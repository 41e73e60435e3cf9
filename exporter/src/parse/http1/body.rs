//! Message content (RFC 9112 section 6): which framing a head announces, and how far it is read.
//!
//! Owns counts only: no byte of content is kept. Framing errors that oblige the receivers to
//! close the connection (an invalid or contradictory Content-Length, a Transfer-Encoding that
//! does not end in chunked) are read as content until close, so that nothing after them is ever
//! taken for a head.

use crate::fields::Fields;
use crate::flow::Timestamp;
use crate::http::{MessageEnd, Oddities};

use super::chunked::Chunked;
use super::section::trim;

/// Content being read.
#[derive(Debug, Default)]
pub(super) struct Body {
    framing: Framing,
    size: u64,
}

#[derive(Debug)]
enum Framing {
    Length { rest: u64 },
    Chunked(Chunked),
    UntilClose,
}

impl Default for Framing {
    fn default() -> Self {
        Self::Length { rest: 0 }
    }
}

/// What a chunk of the stream made of the content.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All of the chunk was content and there is more to come.
    More,
    /// The content is whole, and these are its trailers.
    Done(Fields),
    /// The chunked framing is broken.
    Malformed,
}

/// The framing of a request's content (RFC 9112 section 6.3); none announced: there is none.
pub(super) fn of_request(fields: &Fields, oddities: &mut Oddities) -> Body {
    Body::framed(announced(fields, oddities).unwrap_or_default())
}

/// The framing of a response's content as an answer to GET; none announced: until close.
pub(super) fn of_response(status: u16, fields: &Fields, oddities: &mut Oddities) -> Body {
    let announced = announced(fields, oddities);
    match status {
        100..=199 | 204 | 304 => Body::empty(),
        _ => Body::framed(announced.unwrap_or(Framing::UntilClose)),
    }
}

/// What the fields say of the framing; Transfer-Encoding overrides Content-Length.
fn announced(fields: &Fields, oddities: &mut Oddities) -> Option<Framing> {
    let coded = chunked_is_last(fields);
    let length = content_length(fields, oddities);
    oddities.content_length_and_transfer_encoding = coded.is_some() && length.is_some();
    match (coded, length) {
        (Some(true), _) => Some(Framing::Chunked(Chunked::default())),
        (Some(false), _) | (None, Some(None)) => Some(Framing::UntilClose),
        (None, Some(Some(rest))) => Some(Framing::Length { rest }),
        (None, None) => None,
    }
}

/// Whether chunked is the final transfer coding; `None` without Transfer-Encoding.
fn chunked_is_last(fields: &Fields) -> Option<bool> {
    let value = fields.all("transfer-encoding").last()?;
    let coding = value.rsplit(|byte| *byte == b',').map(trim).find(|coding| !coding.is_empty());
    Some(coding.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")))
}

/// The Content-Length, `Some(None)` where it is invalid; `None` where there is none. The same
/// value several times is valid (RFC 9110 section 8.6).
fn content_length(fields: &Fields, oddities: &mut Oddities) -> Option<Option<u64>> {
    let mut values =
        fields.all("content-length").flat_map(|line| line.split(|byte| *byte == b',')).map(number);
    let first = values.next()?;
    let mut same = true;
    for other in values {
        oddities.duplicate_content_length = true;
        same &= other == first;
    }
    Some(first.filter(|_| same))
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = trim(text);
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |n, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(*byte - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

impl Body {
    /// No content.
    pub(super) fn empty() -> Self {
        Self::default()
    }

    fn framed(framing: Framing) -> Self {
        Self { framing, size: 0 }
    }

    /// Whether no byte is missing.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.framing, Framing::Length { rest: 0 })
    }

    /// Whether the content is whole if the connection closes now.
    pub(super) fn ends_at_close(&self) -> bool {
        self.is_whole() || matches!(self.framing, Framing::UntilClose)
    }

    /// Takes content from the front of `chunk`.
    pub(super) fn read(&mut self, chunk: &mut &[u8]) -> Step {
        match &mut self.framing {
            Framing::Length { rest } => {
                self.size += take(chunk, rest);
                if *rest == 0 { Step::Done(Fields::default()) } else { Step::More }
            }
            Framing::Chunked(chunked) => chunked.read(chunk, &mut self.size),
            Framing::UntilClose => {
                self.size = self.size.saturating_add(take(chunk, &mut { u64::MAX }));
                Step::More
            }
        }
    }

    /// Passes over `len` bytes that were not captured; false where they may hold more than
    /// content.
    pub(super) fn skip(&mut self, len: u64) -> bool {
        let inside = match &mut self.framing {
            Framing::Length { rest } => subtract(rest, len),
            Framing::Chunked(chunked) => chunked.skip(len),
            Framing::UntilClose => true,
        };
        self.size = self.size.saturating_add(if inside { len } else { 0 });
        inside
    }

    /// How many of the next bytes are content.
    pub(super) fn skippable(&self) -> u64 {
        match &self.framing {
            Framing::Length { rest } => *rest,
            Framing::Chunked(chunked) => chunked.skippable(),
            Framing::UntilClose => u64::MAX,
        }
    }

    /// The end of the message, whose last byte was captured at `at`.
    pub(super) fn end(&self, trailers: Fields, at: Timestamp) -> MessageEnd {
        MessageEnd { body_size: Some(self.size), trailers, at }
    }
}

/// Takes at most `rest` bytes from the front of `chunk`, and gives how many.
pub(super) fn take(chunk: &mut &[u8], rest: &mut u64) -> u64 {
    let most = usize::try_from(*rest).unwrap_or(usize::MAX).min(chunk.len());
    *chunk = chunk.get(most..).unwrap_or_default();
    let taken = u64::try_from(most).unwrap_or(u64::MAX);
    *rest -= taken;
    taken
}

/// Subtracts `len` from `rest` if it is not larger.
pub(super) fn subtract(rest: &mut u64, len: u64) -> bool {
    let left = rest.checked_sub(len);
    *rest = left.unwrap_or(*rest);
    left.is_some()
}
