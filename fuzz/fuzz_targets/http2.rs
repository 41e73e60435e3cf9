//! HTTP/2 frames under any split and any gap.
//!
//! An input is a mode byte, the number of cuts, the cuts (16 bits each) and the bytes of one
//! direction. Checked: a split changes nothing; after a gap nothing is read that is more than the
//! bytes could hold, and memory stays in bounds.

#![no_main]

use headertap::flow::{Side, Timestamp};
use headertap::parse::Parsed;
use headertap::parse::http2::{BLOCK_MAX_BYTES, Frames, PREFACE, Part, side_of};
use libfuzzer_sys::fuzz_target;

struct Input<'a> {
    side: Side,
    joined: bool,
    gap: bool,
    cuts: Vec<usize>,
    bytes: Vec<u8>,
    given: &'a [u8],
}

fn input(data: &[u8]) -> Option<Input<'_>> {
    let [mode, count, rest @ ..] = data else { return None };
    let (cuts, given) = rest.split_at_checked(2 * usize::from(count % 8))?;
    // A client that is seen from its first byte on has sent the preface.
    let side = if mode & 1 == 0 { Side::Client } else { Side::Server };
    let joined = mode & 2 != 0;
    let preface = if side == Side::Client && !joined { PREFACE } else { b"" };
    let bytes = [preface, given].concat();
    let place = |pair: &[u8]| usize::from(pair[0]) << 8 | usize::from(pair[1]);
    let mut cuts: Vec<_> = cuts
        .chunks(2)
        .map(|pair| place(pair) % (bytes.len() + 1))
        .chain([0, bytes.len()])
        .collect();
    cuts.sort_unstable();
    Some(Input { side, joined, gap: mode & 4 != 0, cuts, bytes, given })
}

impl Input<'_> {
    fn frames(&self) -> Frames {
        if self.joined { Frames::joined(self.side) } else { Frames::new(self.side) }
    }

    fn pieces(&self) -> Vec<&[u8]> {
        self.cuts.windows(2).map(|pair| &self.bytes[pair[0]..pair[1]]).collect()
    }

    /// Reads one piece to its end; false once it is not HTTP/2.
    fn read(&self, frames: &mut Frames, mut piece: &[u8], parts: &mut Vec<Part>) -> bool {
        loop {
            match frames.read(&mut piece, Timestamp(0)) {
                Parsed::NeedMore => {
                    assert!(piece.is_empty(), "bytes are left");
                    assert!(frames.cost() <= 3 * BLOCK_MAX_BYTES);
                    return true;
                }
                Parsed::NotThisProtocol => return false,
                Parsed::Message(part) => parts.push(part),
            }
        }
    }

    /// What is read of `pieces`, up to the first thing malformed: what is found after one depends
    /// on where chunks start.
    fn read_all(&self, pieces: &[&[u8]]) -> (Vec<Part>, bool) {
        let (mut frames, mut parts) = (self.frames(), Vec::new());
        let http2 = pieces.iter().all(|piece| self.read(&mut frames, piece, &mut parts));
        let malformed = parts.iter().position(|part| matches!(part, Part::Malformed(_)));
        parts.truncate(malformed.map_or(parts.len(), |at| at + 1));
        (parts, http2 || malformed.is_some())
    }

    /// The second piece is lost.
    fn check_gap(&self) {
        let pieces = self.pieces();
        let [before, lost, ..] = pieces.as_slice() else { return };
        let (mut frames, mut parts) = (self.frames(), Vec::new());
        if !self.read(&mut frames, before, &mut parts) {
            return;
        }
        frames.gap(lost.len() as u64);
        for piece in &pieces[2..] {
            self.read(&mut frames, piece, &mut parts);
        }
        let content: u64 = parts.iter().map(content).sum();
        assert!(content <= self.bytes.len() as u64, "more content than bytes");
    }
}

fn content(part: &Part) -> u64 {
    match part {
        Part::Data { len, .. } => *len,
        _ => 0,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = input(data) else { return };
    let _side = side_of(input.given);
    if input.gap {
        input.check_gap();
    } else if !input.joined {
        assert_eq!(input.read_all(&[&input.bytes]), input.read_all(&input.pieces()));
    } else {
        input.read_all(&input.pieces());
    }
});
