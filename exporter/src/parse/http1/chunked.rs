//! The chunked transfer coding (RFC 9112 section 7.1): sizes and trailers are read, data is only
//! counted, chunk extensions are ignored. Bare LF is accepted where CRLF should be.

use crate::http::Oddities;

use super::body::{Step, subtract, take};
use super::section::{Section, Taken, parse_fields};

/// Chunked content being read.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    state: State,
    trailer: Section,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// In a chunk's size; `begun` once it has a digit.
    Size { value: u64, begun: bool },
    /// After the size, up to the line's end.
    Extension { value: u64 },
    /// In a chunk's data.
    Data { rest: u64 },
    /// Between a chunk's data and the next size.
    DataEnd { cr: bool },
    /// In the trailer section, after the last chunk.
    Trailer,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { value: 0, begun: false }
    }
}

impl State {
    /// The state after a byte of framing; `None` where the byte breaks it.
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Size { value, begun: true } | Self::Extension { value }, b'\n') => {
                Some(if value == 0 { Self::Trailer } else { Self::Data { rest: value } })
            }
            (Self::Size { value, begun: true }, b';' | b' ' | b'\t' | b'\r')
            | (Self::Extension { value }, _) => Some(Self::Extension { value }),
            (Self::Size { value, .. }, _) => {
                let digit = char::from(byte).to_digit(16)?;
                let value = value.checked_mul(16)?.checked_add(u64::from(digit))?;
                Some(Self::Size { value, begun: true })
            }
            (Self::DataEnd { cr: false }, b'\r') => Some(Self::DataEnd { cr: true }),
            (Self::DataEnd { .. }, b'\n') => Some(Self::default()),
            (Self::DataEnd { .. } | Self::Data { .. } | Self::Trailer, _) => None,
        }
    }
}

impl Chunked {
    /// Takes content from the front of `chunk` and adds the data's bytes to `size`.
    pub(super) fn read(&mut self, chunk: &mut &[u8], size: &mut u64) -> Step {
        loop {
            match &mut self.state {
                State::Data { rest } => {
                    *size = size.saturating_add(take(chunk, rest));
                    if *rest > 0 {
                        return Step::More;
                    }
                    self.state = State::DataEnd { cr: false };
                }
                State::Trailer => return self.read_trailer(chunk),
                framing => {
                    let Some((byte, rest)) = chunk.split_first() else {
                        return Step::More;
                    };
                    let Some(next) = framing.after(*byte) else {
                        return Step::Malformed;
                    };
                    *chunk = rest;
                    *framing = next;
                }
            }
        }
    }

    fn read_trailer(&mut self, chunk: &mut &[u8]) -> Step {
        match self.trailer.take(chunk) {
            Taken::Whole(block) => Step::Done(parse_fields(&block, &mut Oddities::default())),
            Taken::Partial => Step::More,
            Taken::TooLarge => Step::Malformed,
        }
    }

    /// Passes over `len` bytes of the current chunk's data; false where they are more than that.
    pub(super) fn skip(&mut self, len: u64) -> bool {
        match &mut self.state {
            State::Data { rest } => subtract(rest, len),
            _ => false,
        }
    }

    /// The rest of the current chunk's data.
    pub(super) fn skippable(&self) -> u64 {
        match self.state {
            State::Data { rest } => rest,
            _ => 0,
        }
    }
}
