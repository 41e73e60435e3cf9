//! A section of header fields as attributes: one for each name, in order of first appearance,
//! with an element for each field line.

use super::{Key, Value};
use crate::export::escape::utf8_bytes;
use crate::export::grpc::is_metadata;

/// Gives header fields to whoever visits, up to the cap, and counts what the cap takes away: names
/// that are not told at all, and of a name that is repeated each line.
pub(super) struct Sections<'v, F> {
    /// How many attributes are allowed.
    pub(super) room: usize,
    /// How many were not.
    pub(super) dropped: u32,
    pub(super) visitor: &'v mut F,
}

/// What stands before the names of a section's fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prefix {
    pub(super) fields: &'static str,
    /// Before those that are metadata of a gRPC call.
    pub(super) metadata: Option<&'static str>,
}

impl Prefix {
    /// The same before all of them.
    pub(super) fn of(fields: &'static str) -> Self {
        Self { fields, metadata: None }
    }

    fn before(self, name: &[u8]) -> &'static str {
        self.metadata.filter(|_| is_metadata(name)).unwrap_or(self.fields)
    }
}

impl<F: FnMut(Key<'_>, Value<'_>)> Sections<'_, F> {
    /// Visits the field lines that `lines` gives, every time it is called in the same order.
    ///
    /// Names that occur once are told apart by a bit for each name, which costs a few nanoseconds
    /// a line; only a name that shares its bit is looked for. No work grows with the square of the
    /// number of lines, which a stranger chooses.
    pub(super) fn section<'a, I: Iterator<Item = (&'a [u8], &'a [u8])>>(
        &mut self,
        prefix: Prefix,
        lines: impl Fn() -> I,
    ) {
        let (mut seen, mut shared) = (0_u128, 0_u128);
        for (name, _) in lines() {
            let bit = bit(name);
            shared |= seen & bit;
            seen |= bit;
        }
        let mut given: Vec<&[u8]> = Vec::new();
        for (name, value) in lines() {
            let repeated = shared != 0 && shared & bit(name) != 0;
            if repeated && given.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                continue;
            }
            if !repeated || self.room == 0 {
                self.field(prefix, name, &[value]);
                continue;
            }
            given.push(name);
            let same = lines().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            let values: Vec<_> = same.map(|(_, value)| value).collect();
            self.field(prefix, name, &values);
        }
    }

    #[inline]
    fn field(&mut self, prefix: Prefix, name: &[u8], values: &[&[u8]]) {
        if self.room == 0 {
            self.dropped = self.dropped.saturating_add(1);
        } else {
            self.room -= 1;
            (self.visitor)(
                Key::of_field(prefix.before(name), &utf8_bytes(name)),
                Value::Strs(values),
            );
        }
    }
}

/// One of 128 bits, the same for names that differ only in case.
fn bit(name: &[u8]) -> u128 {
    let at = |index: usize| name.get(index).map_or(0, |byte| usize::from(byte | 0x20));
    let last = name.len().saturating_sub(1);
    1 << ((name.len() * 31 + at(0) * 7 + at(last) * 3 + at(last / 2)) % 128)
}
