//! Fragments in any order, twice, overlapping, incomplete; and that they stay bounded.

use proptest::prelude::{Just, Strategy, prop};
use proptest::sample::subsequence;
use proptest::{prop_assert_eq, proptest};

use super::{AT, Captured, RAW, decode, joined, read, segment, tcp};
use crate::flow::Timestamp;
use crate::packet::fragments::{MEMORY_MAX_BYTES, PACKETS_MAX};
use crate::packet::{Fragment, Fragments, Packet, decode_whole};
use crate::stats::Cause;

/// A fragment of the packet of [`tcp`], from `start` to `end` of its payload.
fn piece(v6: bool, start: usize, end: usize) -> Vec<u8> {
    let packet = tcp(v6);
    let header_len = if v6 { 40 } else { 20 };
    let (header, payload) = packet.split_at(header_len);
    let more = end < payload.len();
    let offset = u16::try_from(start / 8).expect("short");
    let mut fragment = if v6 {
        let field = (offset << 3 | u16::from(more)).to_be_bytes();
        joined(&[header, &[6, 0], &field, &[0, 0, 0, 42], &payload[start..end]])
    } else {
        joined(&[header, &payload[start..end]])
    };
    let len = u16::try_from(fragment.len()).expect("short");
    if v6 {
        fragment[6] = 44;
        fragment[4..6].copy_from_slice(&(len - 40).to_be_bytes());
    } else {
        fragment[2..4].copy_from_slice(&len.to_be_bytes());
        fragment[4..6].copy_from_slice(&42_u16.to_be_bytes());
        fragment[6..8].copy_from_slice(&(u16::from(more) << 13 | offset).to_be_bytes());
    }
    fragment
}

fn fragment(packet: &[u8], at: Timestamp) -> Fragment<'_> {
    match decode(RAW, Captured::whole(packet), at) {
        Ok(Packet::Fragment(fragment)) => fragment,
        other => panic!("{other:?} is no fragment"),
    }
}

/// What the table makes of some fragments: the packets that became whole, and what was lost.
#[derive(Default)]
struct Bench {
    fragments: Fragments,
    lost: Vec<(Cause, u64)>,
}

impl Bench {
    fn add(&mut self, packet: &[u8], at: Timestamp) -> Option<super::super::Whole> {
        let lost = &mut self.lost;
        self.fragments.add(&fragment(packet, at), 1, &mut |cause, n| lost.push((cause, n)))
    }

    fn finish(mut self) -> Vec<(Cause, u64)> {
        let lost = &mut self.lost;
        self.fragments.finish(&mut |cause, n| lost.push((cause, n)));
        self.lost
    }
}

/// The payload of [`tcp`]: a header of 20 bytes and a head of 18.
const LEN: usize = 38;

proptest! {
    /// Whatever the order, and whatever came twice, the segment is the one that was sent.
    #[test]
    fn fragments_in_any_order_make_the_packet(
        cuts in subsequence(vec![8, 16, 24, 32], 1..=4),
        order in Just((0..5).collect::<Vec<usize>>()).prop_shuffle(),
        again in prop::collection::vec(0..5_usize, 0..3),
        v6 in prop::bool::ANY,
    ) {
        let bounds = [&[0][..], &cuts, &[LEN]].concat();
        let pieces: Vec<_> =
            bounds.windows(2).map(|pair| piece(v6, pair[0], pair[1])).collect();
        let mut order: Vec<_> = order.into_iter().filter(|n| *n < pieces.len()).collect();
        // What comes again does so before the last.
        let last = order.pop().expect("there is one at least");
        order.extend(again.into_iter().filter(|n| *n < pieces.len() && *n != last));
        let mut bench = Bench::default();
        for n in &order {
            prop_assert_eq!(bench.add(&pieces[*n], AT), None);
        }
        let whole = bench.add(&pieces[last], AT).expect("nothing is missing");
        prop_assert_eq!(whole.packets, order.len() as u64 + 1);
        let sent = tcp(v6);
        prop_assert_eq!(segment(&decode_whole(&whole)), segment(&read(RAW, &sent)));
        prop_assert_eq!(bench.finish(), []);
    }
}

#[test]
fn the_byte_that_came_first_stays() {
    let mut bench = Bench::default();
    let mut late = piece(false, 0, 32);
    late[20..].fill(0xee);
    assert_eq!(bench.add(&piece(false, 8, 24), AT), None);
    assert_eq!(bench.add(&piece(false, 0, 8), AT), None);
    assert_eq!(bench.add(&late, AT), None);
    let whole = bench.add(&piece(false, 24, LEN), AT).expect("nothing is missing");
    // Twenty bytes are the TCP header; of the late ones, only the last eight were the first.
    let expected = [&super::HEAD[..4], &[0xee; 8], &super::HEAD[12..]].concat();
    assert_eq!(segment(&decode_whole(&whole)).payload, expected);
}

#[test]
fn what_never_becomes_whole_is_lost_to_the_gap() {
    let mut bench = Bench::default();
    bench.add(&piece(false, 0, 8), AT);
    bench.add(&piece(false, 8, 16), AT);
    assert_eq!(bench.finish(), [(Cause::Gap, 2)]);
}

#[test]
fn fragments_wait_for_a_minute() {
    let (mut bench, second) = (Bench::default(), 1_000_000_000);
    let late = Timestamp(AT.0 + 61 * second);
    bench.add(&piece(false, 0, 8), AT);
    assert_eq!(bench.add(&piece(false, 8, LEN), late), None, "its beginning is forgotten");
    assert_eq!(bench.lost, [(Cause::Gap, 1)]);
    assert_eq!(bench.finish(), [(Cause::Gap, 1), (Cause::Gap, 1)]);
}

#[test]
fn a_fragment_that_was_cut_short_is_lost_and_its_packet_with_it() {
    let cut = piece(false, 8, 32);
    let Ok(Packet::Fragment(short)) = decode(RAW, Captured::new(&cut[..30], cut.len()), AT) else {
        panic!("it is a fragment all the same");
    };
    let (mut fragments, mut lost) = (Fragments::default(), Vec::new());
    let mut lose = |cause, n| lost.push((cause, n));
    fragments.add(&fragment(&piece(false, 0, 8), AT), 1, &mut lose);
    fragments.add(&short, 1, &mut lose);
    fragments.finish(&mut lose);
    assert_eq!(lost, [(Cause::CutShort, 1), (Cause::Gap, 1)]);
}

#[test]
fn fragments_that_contradict_each_other_are_malformed() {
    let mut bench = Bench::default();
    bench.add(&piece(false, 8, LEN), AT);
    let mut beyond = piece(false, 32, LEN);
    beyond[7] = 9;
    bench.add(&beyond, AT);
    let mut other_end = piece(false, 16, 24);
    other_end[6] = 0;
    bench.add(&other_end, AT);
    let uneven = piece(false, 0, 7);
    bench.add(&uneven, AT);
    assert_eq!(bench.lost, [(Cause::Malformed, 1); 3]);
    assert!(bench.add(&piece(false, 0, 8), AT).is_some(), "the rest is still good");
}

#[test]
fn a_flood_of_fragments_is_bounded_and_counted() {
    let mut bench = Bench::default();
    // Each at the far end, so that each takes as much memory as one can.
    let mut far = piece(false, 0, 8);
    far[6..8].copy_from_slice(&(0x2000_u16 | 8190).to_be_bytes());
    let all = PACKETS_MAX * 2;
    for n in 0..all {
        far[12..16].copy_from_slice(&u32::try_from(n).expect("few").to_be_bytes());
        bench.add(&far, AT);
        assert!(bench.fragments.memory() <= MEMORY_MAX_BYTES + 65_536, "after {n}");
    }
    let full = bench.lost.iter().filter(|(cause, _)| *cause == Cause::TableFull).count();
    assert!(full >= PACKETS_MAX, "{full}");
    assert_eq!(bench.finish().len(), all);
}
