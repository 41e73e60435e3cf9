//! A section of header fields as attributes: one for each name, in order of first appearance,
//! with an element for each field line.

use std::borrow::Cow;

use super::{Key, Value, Visit};
use crate::export::escape::utf8;

/// Visits the field lines that `lines` gives, every time it is called in the same order.
///
/// Names that occur once are told apart by a bit for each name, which costs a few nanoseconds a
/// line; only a name that shares its bit is looked for. No work grows with the square of the
/// number of lines, which a stranger chooses.
pub(super) fn section<'a, F, I>(
    visit: &mut Visit<'_, F>,
    prefix: &'static str,
    lines: impl Fn() -> I,
) where
    F: FnMut(Key<'_>, Value<'_>),
    I: Iterator<Item = (&'a [u8], &'a [u8])>,
{
    let (mut seen, mut shared) = (0_u128, 0_u128);
    for (name, _) in lines() {
        shared |= seen & bit(name);
        seen |= bit(name);
    }
    let mut given: Vec<&[u8]> = Vec::new();
    for (name, value) in lines() {
        let repeated = shared != 0 && shared & bit(name) != 0;
        if repeated && given.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            continue;
        }
        if !repeated || visit.room == 0 {
            field(visit, prefix, name, &[utf8(value)]);
            continue;
        }
        given.push(name);
        let same = lines().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let values: Vec<Cow<'_, str>> = same.map(|(_, value)| utf8(value)).collect();
        field(visit, prefix, name, &values);
    }
}

fn field<F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    prefix: &'static str,
    name: &[u8],
    values: &[Cow<'_, str>],
) {
    visit.give(Key::of_field(prefix, &utf8(name)), Value::Strs(values));
}

/// One of 128 bits, the same for names that differ only in case.
fn bit(name: &[u8]) -> u128 {
    let at = |index: usize| name.get(index).map_or(0, |byte| usize::from(byte | 0x20));
    let last = name.len().saturating_sub(1);
    1 << ((name.len() * 31 + at(0) * 7 + at(last) * 3 + at(last / 2)) % 128)
}
