//! HPACK (RFC 7541): whole field blocks of one direction of a connection in, their fields out, of
//! which each name and each value is exact or unknown.
//!
//! Owns the direction's dynamic table, as far as it is known, in at most `HELD_MAX_BYTES`.
//! Does not own the block's fragments, which `http2` puts together.
//!
//! Indices count from the newest entry, so what was inserted under our eyes since the last loss
//! has its place for certain, whatever older entries there are and whichever of them were
//! evicted: an encoder never refers to an entry that it evicted. All else is unknown.

mod huffman;
mod integer;
mod static_table;
mod table;

use std::borrow::Cow;

use table::{Entry, Table};

/// A field line (RFC 7541 section 1.3) as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name; `None`: it is an entry that was not seen.
    pub name: Option<&'a [u8]>,
    /// The value; `None`: it is an entry that was not seen.
    pub value: Option<&'a [u8]>,
}

/// The block breaks the grammar (RFC 7541 sections 5 and 6). What was decoded before is exact,
/// and the dynamic table is unknown from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the field block is not HPACK")]
pub struct Malformed;

/// What decodes one direction's blocks, in their order.
#[derive(Debug)]
pub struct Decoder(Table);

impl Decoder {
    /// A direction whose first block is the first that will be decoded.
    #[must_use]
    pub fn new() -> Self {
        Self(Table::empty())
    }

    /// A direction of which an unknown number of blocks was not seen.
    #[must_use]
    pub fn joined() -> Self {
        let mut decoder = Self::new();
        decoder.lose();
        decoder
    }

    /// Any number of blocks may have been lost: nothing of the table is known.
    pub fn lose(&mut self) {
        self.0.forget();
    }

    /// About how many bytes of memory the table takes.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.0.size()
    }

    /// Gives the block's fields to `visit`, in order.
    ///
    /// # Errors
    /// The block breaks the grammar.
    pub fn decode(
        &mut self,
        mut block: &[u8],
        visit: &mut impl FnMut(Field<'_>),
    ) -> Result<(), Malformed> {
        let mut fields = false;
        while !block.is_empty() {
            if self.representation(&mut block, &mut fields, visit).is_none() {
                self.lose();
                return Err(Malformed);
            }
        }
        Ok(())
    }

    /// Takes one representation (RFC 7541 section 6) off the block. `fields`: one was a field, so
    /// that no size update may follow (section 4.2).
    fn representation(
        &mut self,
        block: &mut &[u8],
        fields: &mut bool,
        visit: &mut impl FnMut(Field<'_>),
    ) -> Option<()> {
        let first = *block.first()?;
        if first & 0b1110_0000 == 0b0010_0000 {
            let size = integer::take(block, 5)?;
            return (!*fields).then(|| self.0.resize(size));
        }
        *fields = true;
        match first {
            0b1000_0000.. => {
                let index = integer::take(block, 7).filter(|index| *index != 0)?;
                visit(self.field(index));
            }
            0b0100_0000.. => {
                let entry = self.literal(block, 6, Entry::new)?;
                visit(entry.field());
                self.0.insert(entry);
            }
            _ => self.literal(block, 4, |name, value| {
                visit(Field { name, value: Some(value) });
            })?,
        }
        Some(())
    }

    /// The field at an index (RFC 7541 section 2.3.3).
    fn field(&mut self, index: usize) -> Field<'_> {
        if let Some((name, value)) = static_table::get(index) {
            return Field { name: Some(name), value: Some(value) };
        }
        let unknown = Field { name: None, value: None };
        self.0.get(index - static_table::LEN - 1).map_or(unknown, Entry::field)
    }

    /// Takes a literal (RFC 7541 section 6.2), whose index has so many bits, and gives what `make`
    /// makes of its name and value.
    fn literal<T>(
        &mut self,
        block: &mut &[u8],
        bits: u32,
        make: impl FnOnce(Option<&[u8]>, &[u8]) -> T,
    ) -> Option<T> {
        match integer::take(block, bits)? {
            0 => {
                let (name, value) = (string(block)?, string(block)?);
                Some(make(Some(&name), &value))
            }
            index => {
                let value = string(block)?;
                Some(make(self.field(index).name, &value))
            }
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes a string literal (RFC 7541 section 5.2).
fn string<'a>(block: &mut &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let is_huffman = block.first()? & 0b1000_0000 != 0;
    let len = integer::take(block, 7)?;
    let (octets, rest) = block.split_at_checked(len)?;
    *block = rest;
    if is_huffman { huffman::decode(octets).map(Cow::Owned) } else { Some(Cow::Borrowed(octets)) }
}

#[cfg(test)]
mod tests;
