//! A header or trailer section (RFC 9112 sections 2.1, 5 and 7.1.2): chunks in, the bytes up to
//! and with the empty line out, and field lines out of those.
//!
//! Owns the bytes of a section that is not whole yet. A section that lies whole in one chunk is
//! not copied.

use std::borrow::Cow;

use memchr::{memchr, memrchr};

use crate::fields::Fields;
use crate::http::Oddities;

/// The largest head, start line included, and the largest trailer section.
pub const HEAD_MAX_BYTES: usize = 64 * 1024;

/// A short field line, to guess from a section's size how many lines there is to make room for.
const LINE_BYTES: usize = 24;

/// What is known of the line the section's end is looked for in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Empty,
    OnlyCr,
    Text,
}

/// A section on its way in.
#[derive(Debug, Default)]
pub(super) struct Section {
    buffer: Vec<u8>,
    line: Line,
}

/// What a chunk made of a section.
#[derive(Debug)]
pub(super) enum Taken<'a> {
    /// The whole section, up to and with its empty line.
    Whole(Cow<'a, [u8]>),
    /// All of the chunk was taken; the section goes on.
    Partial,
    /// [`HEAD_MAX_BYTES`] were taken and none of them ends the section.
    TooLarge,
}

impl Section {
    /// Takes the section's bytes from the front of `chunk`.
    pub(super) fn take<'a>(&mut self, chunk: &mut &'a [u8]) -> Taken<'a> {
        let room = HEAD_MAX_BYTES - self.buffer.len();
        let window = chunk.get(..room).unwrap_or(chunk);
        let end = self.end_in(window);
        let (taken, rest) = chunk.split_at(end.unwrap_or(window.len()));
        *chunk = rest;
        if end.is_some() && self.buffer.is_empty() {
            return Taken::Whole(Cow::Borrowed(taken));
        }
        self.buffer.extend_from_slice(taken);
        match end {
            Some(_) => Taken::Whole(Cow::Owned(std::mem::take(&mut self.buffer))),
            None if taken.len() == room => Taken::TooLarge,
            None => Taken::Partial,
        }
    }

    /// Whether no byte was taken yet.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The bytes of a section that is not whole.
    pub(super) fn so_far(&self) -> &[u8] {
        &self.buffer
    }

    /// How many bytes of `window` belong to the section, if it ends there.
    fn end_in(&mut self, window: &[u8]) -> Option<usize> {
        let mut rest = window;
        loop {
            if self.line == Line::Text {
                let lf = memchr(b'\n', rest)?;
                rest = rest.get(lf + 1..)?;
                self.line = Line::Empty;
            }
            let (first, after) = rest.split_first()?;
            rest = after;
            self.line = match (self.line, first) {
                (_, b'\n') => {
                    self.line = Line::Empty;
                    return Some(window.len() - rest.len());
                }
                (Line::Empty, b'\r') => Line::OnlyCr,
                _ => Line::Text,
            };
        }
    }
}

/// The bytes after any empty lines: they may precede a start line (RFC 9112 section 2.2).
pub(super) fn without_empty_lines(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// The first line of `bytes` without its end; `None` where it is not whole.
pub(super) fn first_line(mut bytes: &[u8]) -> Option<&[u8]> {
    next_line(&mut bytes, &mut Oddities::default())
}

/// The lines of `block` that are whole, and do not go on in one that is not (RFC 9112 section 5.2).
pub(super) fn whole_lines(mut block: &[u8]) -> &[u8] {
    loop {
        let Some(lf) = memrchr(b'\n', block) else { return &[] };
        let (lines, rest) = block.split_at(lf + 1);
        if !matches!(rest, [b' ' | b'\t', ..]) {
            return lines;
        }
        block = block.get(..lf).unwrap_or_default();
    }
}

/// Takes the next line, and gives it without its end.
pub(super) fn next_line<'a>(block: &mut &'a [u8], oddities: &mut Oddities) -> Option<&'a [u8]> {
    let (line, rest) = block.split_at_checked(memchr(b'\n', block)?)?;
    *block = rest.get(1..)?;
    if let [text @ .., b'\r'] = line {
        return Some(text);
    }
    oddities.bare_lf = true;
    Some(line)
}

/// The bytes without optional white space around them (RFC 9110 section 5.6.3).
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    trim_end(bytes)
}

/// The bytes without optional white space after them.
pub(super) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The field lines of `block`, up to its empty line. A line that is none (no colon, or no name
/// before it) is left out: it has no name to be exported under.
pub(super) fn parse_fields(mut block: &[u8], oddities: &mut Oddities) -> Fields {
    let mut fields = Fields::with_capacity(block.len() / LINE_BYTES, block.len());
    // Whether the value of the field line above is empty; `None` where a fold has no line to join.
    let mut above = None;
    while let Some(line) = next_line(&mut block, oddities) {
        match line.first() {
            None => break,
            Some(b' ' | b'\t') => {
                oddities.obs_fold = true;
                above = above.map(|empty| fold(&mut fields, empty, trim(line)));
            }
            Some(_) => above = push_field(&mut fields, line, oddities),
        }
    }
    fields
}

/// Adds a field line; gives whether its value is empty, or `None` where it is not a field line.
fn push_field(fields: &mut Fields, line: &[u8], oddities: &mut Oddities) -> Option<bool> {
    let (written, rest) = line.split_at_checked(memchr(b':', line)?)?;
    let (name, value) = (trim_end(written), trim(rest.get(1..)?));
    if name.is_empty() {
        return None;
    }
    oddities.space_before_colon |= name.len() != written.len();
    fields.push(name, value);
    Some(value.is_empty())
}

/// Replaces a fold by one space (RFC 9112 section 5.2); gives whether the value is still empty.
fn fold(fields: &mut Fields, empty: bool, more: &[u8]) -> bool {
    if more.is_empty() {
        return empty;
    }
    if !empty {
        fields.extend_last(b" ");
    }
    fields.extend_last(more);
    false
}
