//! The dynamic table (RFC 7541 sections 2.3.2 and 4), as far as it is known.
//!
//! Entries that were not seen are not held: they are older than all that are, so they change no
//! index. What is held can only be less than what the encoder has, and an index behind it is of
//! something unknown.

use std::collections::VecDeque;

use super::Field;

/// What is held at most, whatever size the encoder was allowed.
pub(super) const HELD_MAX_BYTES: usize = 64 * 1024;
/// The maximum size unless it is changed (RFC 9113 section 6.5.2).
const DEFAULT_MAX_BYTES: usize = 4096;
/// What an entry counts beside its name and value (RFC 7541 section 4.1).
const ENTRY_OVERHEAD_BYTES: usize = 32;

/// An entry that was seen when it was inserted.
#[derive(Debug)]
pub(super) struct Entry {
    /// The name and the value.
    text: Box<[u8]>,
    /// Bytes of the name; `None`: it was a reference to an entry that was not seen, and `text` is
    /// the value.
    name: Option<usize>,
}

impl Entry {
    pub(super) fn new(name: Option<&[u8]>, value: &[u8]) -> Self {
        let text = [name.unwrap_or_default(), value].concat();
        Self { text: text.into(), name: name.map(<[u8]>::len) }
    }

    pub(super) fn field(&self) -> Field<'_> {
        match self.name.and_then(|len| self.text.split_at_checked(len)) {
            Some((name, value)) => Field { name: Some(name), value: Some(value) },
            None => Field { name: None, value: Some(&self.text) },
        }
    }

    /// Its size; at most that if its name is unknown.
    fn size(&self) -> usize {
        self.text.len() + ENTRY_OVERHEAD_BYTES
    }
}

/// The table of one direction.
#[derive(Debug)]
pub(super) struct Table {
    /// The newest first.
    entries: VecDeque<Entry>,
    size: usize,
    /// The maximum size, or what it is taken for.
    max: usize,
    /// The encoder may have entries older than those that are held.
    older: bool,
    /// How many entries were inserted since all became unknown.
    inserted: usize,
}

impl Table {
    /// A table before its first entry.
    pub(super) fn empty() -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            max: DEFAULT_MAX_BYTES,
            older: false,
            inserted: 0,
        }
    }

    /// An unknown number of entries was inserted.
    pub(super) fn forget(&mut self) {
        *self = Self { older: true, max: self.max, ..Self::empty() };
    }

    /// The size of what is held.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The entry that was inserted before the newest `index` ones.
    pub(super) fn get(&mut self, index: usize) -> Option<&Entry> {
        if index >= self.entries.len() {
            self.not_held(index);
        }
        self.entries.get(index)
    }

    /// The encoder has an entry that is not held.
    fn not_held(&mut self, index: usize) {
        if !self.older {
            // It was evicted, or never inserted: this is not the table that the encoder has.
            self.forget();
        } else if index < self.inserted {
            // It was evicted too early: a larger maximum size was missed.
            self.max = self.max.max(HELD_MAX_BYTES);
        }
    }

    /// Inserts an entry (RFC 7541 section 4.4).
    pub(super) fn insert(&mut self, entry: Entry) {
        let size = entry.size();
        self.evict(self.held_max().saturating_sub(size));
        self.inserted += 1;
        if size <= self.held_max() {
            self.size += size;
            self.entries.push_front(entry);
        } else {
            // If the encoder has room for it, it is in front of what will be inserted.
            self.older |= size <= self.max;
        }
    }

    /// Changes the maximum size (RFC 7541 section 4.3).
    pub(super) fn resize(&mut self, max: usize) {
        self.max = max;
        self.evict(self.held_max());
        self.older &= max >= ENTRY_OVERHEAD_BYTES;
    }

    fn held_max(&self) -> usize {
        self.max.min(HELD_MAX_BYTES)
    }

    fn evict(&mut self, max: usize) {
        // What the encoder evicts is gone; what is let go because of its size here is not.
        self.older |= self.size > max && self.max > HELD_MAX_BYTES;
        while self.size > max
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size -= oldest.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, HELD_MAX_BYTES, Table};

    fn entry(value: &[u8]) -> Entry {
        Entry::new(Some(b"name"), value)
    }

    fn value(table: &mut Table, index: usize) -> Option<Vec<u8>> {
        table.get(index).and_then(|entry| entry.field().value.map(<[u8]>::to_vec))
    }

    #[test]
    fn entries_count_from_the_newest() {
        let mut table = Table::empty();
        table.forget();
        for text in [b"a", b"b", b"c"] {
            table.insert(entry(text));
        }
        let values: Vec<_> = (0..4).map(|index| value(&mut table, index)).collect();
        assert_eq!(values, [Some(b"c".to_vec()), Some(b"b".to_vec()), Some(b"a".to_vec()), None]);
    }

    #[test]
    fn the_oldest_are_evicted_where_there_is_no_room() {
        let mut table = Table::empty();
        table.resize(2 * 37);
        for text in [b"a", b"b", b"c"] {
            table.insert(entry(text));
        }
        assert_eq!(value(&mut table, 1), Some(b"b".to_vec()));
        assert_eq!(table.size(), 2 * 37);
        table.insert(entry(&[b'x'; 39]));
        assert_eq!((table.size(), table.entries.len()), (0, 0), "it has no room at all");
    }

    #[test]
    fn a_reference_to_an_evicted_entry_tells_that_the_table_is_not_the_encoders() {
        let mut table = Table::empty();
        table.insert(entry(b"a"));
        assert_eq!(value(&mut table, 1), None);
        assert_eq!(value(&mut table, 0), None, "it is not believed any more");
    }

    #[test]
    fn a_size_update_to_nothing_makes_an_unknown_table_known() {
        let mut table = Table::empty();
        table.forget();
        table.resize(0);
        table.resize(4096);
        assert!(!table.older);
    }

    #[test]
    fn a_larger_table_that_was_missed_shows_in_what_is_referred_to() {
        let mut table = Table::empty();
        table.forget();
        let insert = |table: &mut Table, count: u8| {
            (0..count).for_each(|_| table.insert(entry(&[b'x'; 964])));
        };
        insert(&mut table, 5);
        assert_eq!(value(&mut table, 4), None);
        insert(&mut table, 5);
        assert_eq!(table.entries.len(), 9);
    }

    #[test]
    fn a_table_holds_no_more_than_its_cap() {
        let mut table = Table::empty();
        table.resize(usize::MAX);
        for _ in 0..1000 {
            table.insert(entry(&[b'x'; 1000]));
            assert!(table.size() <= HELD_MAX_BYTES);
        }
        assert_eq!(value(&mut table, 100), None);
        assert!(value(&mut table, 60).is_some(), "what is held is still in its place");
        table.insert(entry(&[b'x'; HELD_MAX_BYTES]));
        assert_eq!(value(&mut table, 0), None, "it is larger than what is held");
        table.insert(entry(b"small"));
        assert_eq!(value(&mut table, 0), Some(b"small".to_vec()));
    }
}
