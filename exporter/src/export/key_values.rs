//! Attributes as encoded `KeyValue` messages: typed values in, one block of bytes out.
//!
//! A log record and a span hold the same attributes under different field numbers, each a tag of
//! one byte. So a block is encoded once, and the tags are put in when it is copied; and the block
//! that two ends of an exchange say alike is encoded once for both.

use super::attributes::{Key, Value};
use super::escape::utf8_bytes;
use super::protobuf::{LEN, field_size, put_bytes, put_len, put_uint, varint_size};

/// Fields of `KeyValue`.
const KEY: u32 = 1;
const VALUE: u32 = 2;
/// Members of `AnyValue`.
const STRING_VALUE: u32 = 1;
const BOOL_VALUE: u32 = 2;
const INT_VALUE: u32 = 3;
const ARRAY_VALUE: u32 = 5;
/// The field of `ArrayValue`.
const VALUES: u32 = 1;

/// A list of attributes, encoded.
#[derive(Debug, Default)]
pub(crate) struct KeyValues {
    bytes: Vec<u8>,
    /// Where in `bytes` each attribute's tag stands.
    tags: Vec<usize>,
}

impl KeyValues {
    /// Forgets the attributes and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.tags.clear();
    }

    /// How many attributes there are.
    pub(crate) fn len(&self) -> usize {
        self.tags.len()
    }

    /// Adds an attribute.
    #[inline]
    pub(crate) fn push(&mut self, key: Key<'_>, value: Value<'_>) {
        self.tags.push(self.bytes.len());
        put_key_value(&mut self.bytes, 0, key, value);
    }

    fn copy_to(&self, out: &mut Vec<u8>, tag: u8) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let copy = out.get_mut(start..).unwrap_or_default();
        for offset in &self.tags {
            if let Some(byte) = copy.get_mut(*offset) {
                *byte = tag;
            }
        }
    }
}

/// The attributes of one record.
#[derive(Debug)]
pub(crate) struct Attributes<'a> {
    /// One after the other.
    pub(crate) blocks: &'a [&'a KeyValues],
    /// `dropped_attributes_count`.
    pub(crate) dropped: u32,
}

impl Attributes<'_> {
    /// Bytes that [`Self::copy_to`] will write.
    pub(crate) fn size(&self) -> usize {
        self.blocks.iter().map(|block| block.bytes.len()).sum()
    }

    /// Writes the attributes as repeated field `field` of the message at the end of `out`.
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>, field: u8) {
        for block in self.blocks {
            block.copy_to(out, field << 3 | 2);
        }
    }
}

/// Writes one attribute as a `KeyValue` in field `field` (1 to 15) of the message at the end of
/// `out`.
#[inline]
pub(crate) fn put_key_value(out: &mut Vec<u8>, field: u32, key: Key<'_>, value: Value<'_>) {
    match value {
        Value::Str(text) => {
            put_key(out, field, key, field_size(text.len()));
            put_bytes(out, STRING_VALUE, text.as_bytes());
        }
        Value::Bool(yes) => {
            put_key(out, field, key, 2);
            put_uint(out, BOOL_VALUE, u64::from(yes));
        }
        Value::Int(number) => {
            put_key(out, field, key, int_size(number));
            put_uint(out, INT_VALUE, number.cast_unsigned());
        }
        Value::Strs(&[text]) => put_one_line(out, field, key, &utf8_bytes(text)),
        Value::Strs(texts) => put_lines(out, field, key, texts),
        Value::Ints(numbers) => put_ints(out, field, key, numbers),
    }
}

/// Writes all but the value; `value_size`: bytes of the `AnyValue`.
#[inline]
fn put_key(out: &mut Vec<u8>, field: u32, key: Key<'_>, value_size: usize) {
    let size = field_size(key.len()) + field_size(value_size);
    match [field << 3 | LEN, KEY << 3 | LEN, VALUE << 3 | LEN].map(u8::try_from) {
        // Nearly all: if the whole is short, so are its parts.
        [Ok(outer), Ok(key_tag), Ok(value_tag)] if size < 0x80 => {
            let [size, key_len, value_size] = [size, key.len(), value_size].map(low_byte);
            out.extend_from_slice(&[outer, size, key_tag, key_len]);
            key.write_to(out);
            out.extend_from_slice(&[value_tag, value_size]);
        }
        _ => {
            put_len(out, field, size);
            put_len(out, KEY, key.len());
            key.write_to(out);
            put_len(out, VALUE, value_size);
        }
    }
}

/// A number below 128 as one byte.
#[inline]
fn low_byte(number: usize) -> u8 {
    number.to_le_bytes()[0]
}

#[inline]
fn int_size(number: i64) -> usize {
    1 + varint_size(number.cast_unsigned())
}

/// An array of one string: nearly every header field.
fn put_one_line(out: &mut Vec<u8>, field: u32, key: Key<'_>, text: &[u8]) {
    let element = field_size(text.len());
    let array = field_size(element);
    put_key(out, field, key, field_size(array));
    put_len(out, ARRAY_VALUE, array);
    put_len(out, VALUES, element);
    put_bytes(out, STRING_VALUE, text);
}

fn put_lines(out: &mut Vec<u8>, field: u32, key: Key<'_>, texts: &[&[u8]]) {
    let texts: Vec<_> = texts.iter().map(|text| utf8_bytes(text)).collect();
    let array = texts.iter().map(|text| field_size(field_size(text.len()))).sum();
    put_key(out, field, key, field_size(array));
    put_len(out, ARRAY_VALUE, array);
    for text in &texts {
        put_len(out, VALUES, field_size(text.len()));
        put_bytes(out, STRING_VALUE, text);
    }
}

fn put_ints(out: &mut Vec<u8>, field: u32, key: Key<'_>, numbers: &[i64]) {
    let array = numbers.iter().map(|number| field_size(int_size(*number))).sum();
    put_key(out, field, key, field_size(array));
    put_len(out, ARRAY_VALUE, array);
    for number in numbers {
        put_len(out, VALUES, int_size(*number));
        put_uint(out, INT_VALUE, number.cast_unsigned());
    }
}
