//! HPACK under late joins.
//!
//! An input is a byte, of which block on the connection is joined, and blocks, each behind its
//! length (8 bits). Checked: as long as who saw every block knows every field, who joined late
//! has each name and value from him or not at all; a block gives no more fields than it has bytes.

#![no_main]

use headertap::parse::hpack::{Decoder, Field};
use libfuzzer_sys::fuzz_target;

type Owned = (Option<Vec<u8>>, Option<Vec<u8>>);

fn decode(decoder: &mut Decoder, block: &[u8]) -> Option<Vec<Owned>> {
    let mut fields = Vec::new();
    let owned = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
    let mut visit = |Field { name, value }: Field<'_>| fields.push((owned(name), owned(value)));
    let decoded = decoder.decode(block, &mut visit);
    assert!(fields.len() <= block.len());
    assert!(decoder.cost() <= 64 * 1024);
    decoded.ok().map(|()| fields)
}

fn blocks(mut data: &[u8]) -> Vec<&[u8]> {
    let mut blocks = Vec::new();
    while let [len, rest @ ..] = data {
        let (block, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        blocks.push(block);
        data = rest;
    }
    blocks
}

fn agrees<T: PartialEq>(late: &Option<T>, whole: &Option<T>) -> bool {
    late.is_none() || late == whole
}

fuzz_target!(|data: &[u8]| {
    let [start, data @ ..] = data else { return };
    let (mut whole, mut late) = (Decoder::new(), Decoder::joined());
    for (nth, block) in blocks(data).into_iter().enumerate() {
        let Some(fields) = decode(&mut whole, block) else { return };
        if fields.iter().any(|(name, value)| name.is_none() || value.is_none()) {
            return; // no encoder refers to what it does not have
        }
        if nth < usize::from(*start) {
            continue;
        }
        let joined = decode(&mut late, block).expect("a block is HPACK for everyone");
        assert_eq!(joined.len(), fields.len());
        for (late, whole) in joined.iter().zip(&fields) {
            assert!(agrees(&late.0, &whole.0) && agrees(&late.1, &whole.1), "{late:?} {whole:?}");
        }
    }
});
