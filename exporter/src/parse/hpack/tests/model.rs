//! A simple encoder that chooses every representation at random, and what a decoder that misses
//! blocks of it says: exact or unknown, never wrong.

use std::collections::VecDeque;

use proptest::prelude::*;

use crate::parse::hpack::{Decoder, Field, static_table};

const NAMES: [&str; 8] =
    [":path", ":status", "cookie", "date", "x-id", "grpc-status", "a", "content-type"];
const VALUES: [&str; 6] = ["", "/", "200", "one", "a longer value to fill a table with", "0"];

/// How one field is to be written.
#[derive(Debug, Clone, Copy)]
struct Choice {
    name: usize,
    value: usize,
    /// Whether an index of the whole field, or of its name, is used where there is one.
    indexed: bool,
    named: bool,
    /// 0: with incremental indexing, 1: without, 2: never indexed.
    kind: u8,
}

/// One block, before it a change of the table's size, and what becomes of it.
#[derive(Debug, Clone)]
struct Block {
    size: Option<usize>,
    fields: Vec<Choice>,
    lost: bool,
}

#[derive(Debug)]
struct Encoder {
    table: VecDeque<(&'static str, &'static str)>,
    max: usize,
}

impl Encoder {
    fn evict(&mut self, max: usize) {
        let size = |table: &VecDeque<(&str, &str)>| -> usize {
            table.iter().map(|(name, value)| name.len() + value.len() + 32).sum()
        };
        while size(&self.table) > max {
            self.table.pop_back();
        }
    }

    fn insert(&mut self, field: (&'static str, &'static str)) {
        let size = field.0.len() + field.1.len() + 32;
        self.evict(self.max.saturating_sub(size));
        if size <= self.max {
            self.table.push_front(field);
        }
    }

    /// The index of what `is_it` holds for: the newest dynamic entry, else the first static one.
    fn find(&self, is_it: impl Fn(&str, &str) -> bool) -> Option<usize> {
        let dynamic = self.table.iter().position(|(name, value)| is_it(name, value));
        let is_static = |index: &usize| {
            let (name, value) = static_table::get(*index).expect("it is one of the 61");
            let text = |bytes| str::from_utf8(bytes).expect("the static table is ASCII");
            is_it(text(name), text(value))
        };
        dynamic.map(|at| at + 62).or_else(|| (1..=static_table::LEN).find(is_static))
    }

    fn encode(&mut self, block: &Block) -> Vec<u8> {
        let mut wire = Vec::new();
        if let Some(size) = block.size {
            self.max = size;
            self.evict(size);
            integer(&mut wire, 0b0010_0000, 5, size);
        }
        for choice in &block.fields {
            self.field(choice, &mut wire);
        }
        wire
    }

    fn field(&mut self, choice: &Choice, wire: &mut Vec<u8>) {
        let (name, value) = (NAMES[choice.name], VALUES[choice.value]);
        let whole = self.find(|n, v| (n, v) == (name, value)).filter(|_| choice.indexed);
        if let Some(index) = whole {
            return integer(wire, 0b1000_0000, 7, index);
        }
        let (first, bits) = [(0b0100_0000, 6), (0, 4), (0b0001_0000, 4)][usize::from(choice.kind)];
        match self.find(|n, _| n == name).filter(|_| choice.named) {
            Some(index) => integer(wire, first, bits, index),
            None => {
                integer(wire, first, bits, 0);
                string(wire, name);
            }
        }
        string(wire, value);
        if choice.kind == 0 {
            self.insert((name, value));
        }
    }
}

fn integer(wire: &mut Vec<u8>, first: u8, bits: u32, mut value: usize) {
    let limit = (1 << bits) - 1;
    let octet = |value: usize| u8::try_from(value).expect("it is less than 256");
    if value < limit {
        return wire.push(first | octet(value));
    }
    wire.push(first | octet(limit));
    value -= limit;
    while value >= 0x80 {
        wire.push(octet(value & 0x7f) | 0x80);
        value >>= 7;
    }
    wire.push(octet(value));
}

fn string(wire: &mut Vec<u8>, text: &str) {
    integer(wire, 0, 7, text.len());
    wire.extend_from_slice(text.as_bytes());
}

fn choice() -> impl Strategy<Value = Choice> {
    (0..NAMES.len(), 0..VALUES.len(), any::<bool>(), any::<bool>(), 0..3_u8).prop_map(
        |(name, value, indexed, named, kind)| Choice { name, value, indexed, named, kind },
    )
}

fn block() -> impl Strategy<Value = Block> {
    let size = prop::option::weighted(0.2, prop::sample::select(&[0, 40, 100, 300, 4096][..]));
    (size, prop::collection::vec(choice(), 0..8), prop::bool::weighted(0.2))
        .prop_map(|(size, fields, lost)| Block { size, fields, lost })
}

type Owned = (Option<Vec<u8>>, Option<Vec<u8>>);

/// The fields that `decoder` gives of a block.
fn decode(decoder: &mut Decoder, wire: &[u8]) -> Vec<Owned> {
    let mut fields = Vec::new();
    let owned = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
    let mut visit = |Field { name, value }: Field<'_>| fields.push((owned(name), owned(value)));
    decoder.decode(wire, &mut visit).expect("the block is HPACK");
    fields
}

proptest! {
    #[test]
    fn no_loss_and_no_late_join_makes_a_field_wrong(
        blocks in prop::collection::vec(block(), 1..12),
        joined in any::<bool>(),
    ) {
        let mut encoder = Encoder { table: VecDeque::new(), max: 4096 };
        let mut decoder = if joined { Decoder::joined() } else { Decoder::new() };
        let mut whole = !joined;
        for block in &blocks {
            let wire = encoder.encode(block);
            if block.lost {
                decoder.lose();
                whole = false;
                continue;
            }
            let fields = decode(&mut decoder, &wire);
            prop_assert_eq!(fields.len(), block.fields.len());
            for ((name, value), choice) in fields.iter().zip(&block.fields) {
                let (sent_name, sent_value) = (NAMES[choice.name], VALUES[choice.value]);
                prop_assert!(name.as_deref().is_none_or(|name| name == sent_name.as_bytes()));
                prop_assert!(value.as_deref().is_none_or(|value| value == sent_value.as_bytes()));
                prop_assert!(!whole || name.is_some() && value.is_some(), "nothing was lost");
                let is_literal = !choice.indexed && !choice.named;
                prop_assert!(!is_literal || name.is_some() && value.is_some(), "all is there");
            }
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic_or_hold_more_than_its_cap(
        blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 1..8),
    ) {
        let mut decoder = Decoder::joined();
        for block in &blocks {
            let mut count = 0;
            let _malformed = decoder.decode(block, &mut |_| count += 1);
            prop_assert!(count <= block.len());
            prop_assert!(decoder.cost() <= 64 * 1024);
        }
    }
}
