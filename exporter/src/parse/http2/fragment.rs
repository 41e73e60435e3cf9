//! The payload of HEADERS, PUSH_PROMISE and CONTINUATION (RFC 9113 sections 6.2, 6.6 and 6.10).

use super::frame::{Header, Type};

/// A fragment of a field block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    /// The stream that a PUSH_PROMISE is of.
    pub(super) promised: Option<u32>,
    pub(super) octets: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// The fragment in a payload, of which the end may be missing. `None`: it is too short for
    /// what its header says is in it.
    pub(super) fn of(header: &Header, payload: &'a [u8]) -> Option<Self> {
        let mut octets = payload;
        let [padding] = if header.is_padded() { take(&mut octets)? } else { [0] };
        if header.has_priority() {
            take::<5>(&mut octets)?;
        }
        let promised = match header.kind {
            Type::PushPromise => Some(u32::from_be_bytes(take(&mut octets)?) & (u32::MAX >> 1)),
            _ => None,
        };
        let before = payload.len() - octets.len();
        let behind = header.payload_len().checked_sub(usize::from(padding))?;
        let end = behind.checked_sub(before)?;
        Some(Self { promised, octets: octets.get(..end).unwrap_or(octets) })
    }
}

fn take<const N: usize>(octets: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = octets.split_first_chunk()?;
    *octets = rest;
    Some(*taken)
}
