//! The protocol buffers wire format, written straight into the output: tags, varints, fixed-width
//! numbers and length-delimited fields. Knows no message.
//!
//! A length stands before what it measures, so nested messages are measured first and written
//! once: no message is built aside and copied.

/// A varint value (wire type 0).
const VARINT: u32 = 0;
/// Eight bytes, little endian (wire type 1).
const FIXED64: u32 = 1;
/// A length and that many bytes (wire type 2).
pub(crate) const LEN: u32 = 2;
/// Four bytes, little endian (wire type 5).
const FIXED32: u32 = 5;

/// Bytes that `value` takes as a varint: one for every seven bits.
#[inline]
pub(crate) fn varint_size(value: u64) -> usize {
    if value < 0x80 {
        return 1;
    }
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Bytes that a length-delimited field of `len` bytes takes, for fields 1 to 15.
#[inline]
pub(crate) fn field_size(len: usize) -> usize {
    1 + varint_size(len as u64) + len
}

/// Writes a varint.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    let [low, high, ..] = value.to_le_bytes();
    match value {
        0..0x80 => return out.push(low),
        0x80..0x4000 => return out.extend_from_slice(&[low | 0x80, high << 1 | low >> 7]),
        _ => {}
    }
    // A copy of fixed size that is cut afterwards costs less than a check of room for each byte.
    let mut bytes = [0; 10];
    let mut len = 0;
    for byte in &mut bytes {
        *byte = value.to_le_bytes()[0] | 0x80;
        value >>= 7;
        len += 1;
        if value == 0 {
            *byte &= 0x7f;
            break;
        }
    }
    let end = out.len() + len;
    out.extend_from_slice(&bytes);
    out.truncate(end);
}

/// Writes the tag of a field.
fn put_tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    put_varint(out, u64::from(field << 3 | wire_type));
}

/// Writes the tag and length of a length-delimited field whose `len` bytes follow.
#[inline]
pub(crate) fn put_len(out: &mut Vec<u8>, field: u32, len: usize) {
    let tag = field << 3 | LEN;
    match (u8::try_from(tag), u8::try_from(len)) {
        // Nearly all: one byte each.
        (Ok(tag @ 0..0x80), Ok(len @ 0..0x80)) => out.extend_from_slice(&[tag, len]),
        _ => {
            put_varint(out, u64::from(tag));
            put_varint(out, len as u64);
        }
    }
}

/// Writes a length-delimited field.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    put_len(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// Writes a varint field.
pub(crate) fn put_uint(out: &mut Vec<u8>, field: u32, value: u64) {
    put_tag(out, field, VARINT);
    put_varint(out, value);
}

/// Writes a `fixed64` field.
pub(crate) fn put_fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    put_tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Writes a `fixed32` field.
pub(crate) fn put_fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    put_tag(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::{put_varint, varint_size};

    #[test]
    fn a_varint_is_as_long_as_its_size_says_at_every_power_of_two() {
        for bit in 0..u64::BITS {
            for value in [1_u64 << bit, (1_u64 << bit) - 1, u64::MAX >> bit] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_size(value), "value {value}");
                let decoded = prost::encoding::decode_varint(&mut out.as_slice());
                assert_eq!(decoded.expect("what was written is a varint"), value);
            }
        }
    }
}
