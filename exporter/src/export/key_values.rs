//! Attributes as encoded `KeyValue` messages: typed values in, one block of bytes out.
//!
//! A log record and a span hold the same attributes under different field numbers, each a tag of
//! one byte. So the block is encoded once, and the tags are put in when it is copied.

use crate::export::attributes::{Key, Value};
use crate::export::protobuf::{field_size, put_bytes, put_len, put_uint, varint_size};

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
    /// `dropped_attributes_count` of the record they are for.
    pub(crate) dropped: u32,
}

impl KeyValues {
    /// Forgets the attributes and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.tags.clear();
        self.dropped = 0;
    }

    /// Bytes that [`Self::copy_to`] will write.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Adds an attribute.
    pub(crate) fn push(&mut self, key: Key<'_>, value: Value<'_>) {
        self.tags.push(self.bytes.len());
        put_key_value(&mut self.bytes, 0, key, value);
    }

    /// Writes the attributes as repeated field `field` of the message at the end of `out`.
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>, field: u8) {
        let tag = field << 3 | 2;
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        for offset in &self.tags {
            if let Some(byte) = out.get_mut(start + offset) {
                *byte = tag;
            }
        }
    }
}

/// Writes one attribute as a `KeyValue` in field `field` (1 to 15) of the message at the end of
/// `out`.
pub(crate) fn put_key_value(out: &mut Vec<u8>, field: u32, key: Key<'_>, value: Value<'_>) {
    let array = array_size(value);
    let value_size = any_value_size(value, array);
    let size = field_size(key.len()) + field_size(value_size);
    out.reserve(field_size(size));
    put_len(out, field, size);
    put_len(out, KEY, key.len());
    key.write_to(out);
    put_len(out, VALUE, value_size);
    put_any_value(out, value, array);
}

/// `array` is what [`array_size`] says of the same value.
fn any_value_size(value: Value<'_>, array: usize) -> usize {
    match value {
        Value::Str(text) => field_size(text.len()),
        Value::Bool(_) => 2,
        Value::Int(n) => 1 + varint_size(n.cast_unsigned()),
        Value::Strs(_) | Value::Ints(_) => field_size(array),
    }
}

/// Bytes of the `ArrayValue`; 0 for a value that is none.
fn array_size(value: Value<'_>) -> usize {
    match value {
        Value::Strs(texts) => texts.iter().map(|t| field_size(field_size(t.len()))).sum(),
        Value::Ints(ns) => ns.iter().map(|n| field_size(any_value_size(Value::Int(*n), 0))).sum(),
        Value::Str(_) | Value::Bool(_) | Value::Int(_) => 0,
    }
}

fn put_any_value(out: &mut Vec<u8>, value: Value<'_>, array: usize) {
    match value {
        Value::Str(text) => put_bytes(out, STRING_VALUE, text.as_bytes()),
        Value::Bool(yes) => put_uint(out, BOOL_VALUE, u64::from(yes)),
        Value::Int(n) => put_uint(out, INT_VALUE, n.cast_unsigned()),
        Value::Strs(texts) => {
            put_len(out, ARRAY_VALUE, array);
            for text in texts {
                put_element(out, Value::Str(text));
            }
        }
        Value::Ints(numbers) => {
            put_len(out, ARRAY_VALUE, array);
            for number in numbers {
                put_element(out, Value::Int(*number));
            }
        }
    }
}

fn put_element(out: &mut Vec<u8>, value: Value<'_>) {
    put_len(out, VALUES, any_value_size(value, 0));
    put_any_value(out, value, 0);
}
