//! Reassembly against a stream whose every byte tells its place.

use proptest::prelude::{Strategy, any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::{Arrival, Chunk, Direction, HELD_MAX_BYTES, HOLE_MAX_NS};
use crate::event::{Segment, TcpFlags};
use crate::flow::{Cell, Endpoint, Timestamp, Tuple};

/// More than a hole may hold back, so that the bound is met too.
const STREAM_BYTES: u32 = 150_000;

fn byte_at(place: u32) -> u8 {
    let mixed = u64::from(place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed.to_be_bytes()[2]
}

fn bytes(from: u32, to: u32) -> Vec<u8> {
    (from..to).map(byte_at).collect()
}

fn segment(seq: u32, len: u32, payload: &[u8], flags: u8) -> Segment<'_> {
    let end = Endpoint { address: [0; 16], port: 1 };
    Segment {
        at: Timestamp(1),
        tuple: Tuple { source: end, destination: end },
        socket_cookie: 0,
        seq,
        ack: 0,
        len,
        flags: TcpFlags(flags),
        payload,
        cell: Cell::default(),
    }
}

/// What came out: how far the stream is, and how it got there.
#[derive(Debug, Default)]
struct Output {
    place: u32,
    missed: u64,
    fins: usize,
    wrong: Option<u32>,
}

impl Output {
    fn take(&mut self, chunk: Chunk<'_>) {
        match chunk {
            Chunk::Data(data, _) => {
                let first_wrong =
                    (self.place..).zip(data).find(|(place, byte)| byte_at(*place) != **byte);
                self.wrong = self.wrong.or(first_wrong.map(|(place, _)| place));
                self.place += u32::try_from(data.len()).expect("no segment is that long");
            }
            Chunk::Gap(len) => {
                self.missed += len;
                self.place += u32::try_from(len).expect("the stream is not that long");
            }
            Chunk::Fin(_) => self.fins += 1,
            Chunk::Rst(_) => {}
        }
    }
}

/// What the network and the ring do to one piece of the stream.
#[derive(Debug, Clone)]
struct Fate {
    len: u32,
    lost: bool,
    repeated: bool,
    /// It comes so many pieces later.
    late: usize,
    /// It begins so much before its place: a retransmission that was cut differently.
    overlap: u32,
    /// Only so much was captured.
    captured: u32,
    /// Everything up to here is acknowledged before it comes.
    acknowledged: bool,
    /// The kernel side is told to skip this much behind it.
    skipped: u32,
}

fn fate(loss: bool) -> impl Strategy<Value = Fate> {
    let captured = prop::option::weighted(0.1, 0..1500_u32);
    let skipped = prop::option::weighted(0.1, 1..9000_u32);
    let late = prop::option::weighted(0.2, 1..8_usize);
    let overlap = prop::option::weighted(0.2, 0..4000_u32);
    let chances = (prop::bool::weighted(0.1), prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    (1..3000_u32, chances, late, overlap, captured, skipped).prop_map(
        move |(len, (lost, repeated, acknowledged), late, overlap, captured, skipped)| Fate {
            len,
            lost: lost && loss,
            repeated,
            late: late.unwrap_or(0),
            overlap: overlap.unwrap_or(0),
            captured: captured.filter(|_| loss).unwrap_or(u32::MAX),
            acknowledged: acknowledged && loss,
            skipped: skipped.filter(|_| loss).unwrap_or(0),
        },
    )
}

/// One segment as it arrives.
#[derive(Debug)]
struct Sent {
    order: usize,
    from: u32,
    to: u32,
    fate: Fate,
    fin: bool,
}

fn arrivals(fates: &[Fate]) -> Vec<Sent> {
    let mut arrivals = Vec::new();
    let (mut place, mut unskipped) = (0, 0);
    for (number, fate) in fates.iter().enumerate() {
        let to = (place + fate.len).min(STREAM_BYTES);
        let from = place.saturating_sub(fate.overlap);
        let fin = number + 1 == fates.len();
        if !fate.lost && to > unskipped {
            for copy in 0..=usize::from(fate.repeated) {
                let order = number + fate.late + 3 * copy;
                arrivals.push(Sent { order, from, to, fate: fate.clone(), fin });
            }
        }
        unskipped = unskipped.max(if fate.skipped > 0 { to + fate.skipped } else { 0 });
        place = to;
    }
    arrivals.sort_by_key(|arrival| arrival.order);
    arrivals
}

fn run(isn: u32, arrivals: &[Sent]) -> (Direction, Output) {
    let (mut direction, mut output) = (Direction::default(), Output::default());
    let first = isn.wrapping_add(1);
    direction.push(&segment(isn, 0, &[], 2), &mut |chunk| output.take(chunk));
    for arrival in arrivals {
        if arrival.fate.acknowledged {
            let ack = first.wrapping_add(arrival.from);
            direction.acknowledged(ack, &mut |chunk| output.take(chunk));
        }
        let payload =
            bytes(arrival.from, arrival.to.min(arrival.from.saturating_add(arrival.fate.captured)));
        let seq = first.wrapping_add(arrival.from);
        let one = segment(seq, arrival.to - arrival.from, &payload, u8::from(arrival.fin));
        direction.push(&one, &mut |chunk| output.take(chunk));
        if arrival.fate.skipped > 0 {
            direction.unwanted(arrival.fate.skipped);
        }
    }
    (direction, output)
}

fn total(fates: &[Fate]) -> u32 {
    fates.iter().map(|fate| fate.len).sum::<u32>().min(STREAM_BYTES)
}

proptest! {
    #[test]
    fn what_is_given_is_right_and_in_its_place(
        isn in any::<u32>(),
        near_the_wrap in any::<bool>(),
        fates in prop::collection::vec(fate(true), 1..80),
    ) {
        let isn = if near_the_wrap { (isn % 100_000).wrapping_neg() } else { isn };
        let (mut direction, mut output) = run(isn, &arrivals(&fates));
        prop_assert!(direction.held_bytes() <= HELD_MAX_BYTES);
        direction.give_up_holes(&mut |chunk| output.take(chunk));
        prop_assert_eq!(output.wrong, None, "a byte is not in its place");
        prop_assert!(output.place <= total(&fates) + 1);
        prop_assert!(output.fins <= 1);
        prop_assert_eq!(direction.held_bytes(), 0);
        prop_assert_eq!(direction.held.len(), 0);
    }

    #[test]
    fn where_nothing_is_lost_nothing_is_missed(
        isn in any::<u32>(),
        fates in prop::collection::vec(fate(false), 1..40),
    ) {
        let (_, output) = run(isn, &arrivals(&fates));
        prop_assert_eq!(output.wrong, None);
        prop_assert_eq!(
            (output.place, output.missed, output.fins),
            (total(&fates), 0, 1)
        );
    }

    /// A receiver takes what came first, so whoever sends other bytes later changes nothing.
    #[test]
    fn of_bytes_that_come_twice_the_first_are_given(
        pieces in prop::collection::vec((0..600_u32, 1..300_u32), 1..60),
    ) {
        let mut first = vec![None; 900];
        let (mut direction, mut given) = (Direction::default(), Vec::new());
        direction.push(&segment(99, 0, &[], 2), &mut |_| {});
        let rest = (0, 900);
        for (number, (from, len)) in (0_u8..).zip(pieces.into_iter().chain([rest])) {
            let range = usize::try_from(from).expect("it is small")..;
            let payload = vec![number; usize::try_from(len).expect("it is small")];
            for byte in first[range].iter_mut().take(payload.len()) {
                byte.get_or_insert(number);
            }
            direction.push(&segment(100 + from, len, &payload, 16), &mut |chunk| {
                let Chunk::Data(data, _) = chunk else { panic!("{chunk:?}") };
                given.extend(data.iter().copied().map(Some));
            });
        }
        prop_assert_eq!(given, first);
    }

    #[test]
    fn what_cannot_be_never_panics(
        segments in prop::collection::vec(
            (any::<u32>(), any::<u32>(), any::<u32>(), any::<u8>(), 0..40_usize), 1..200
        ),
    ) {
        let mut direction = Direction::default();
        for (seq, len, ack, flags, captured) in segments {
            let payload = vec![0; captured.min(usize::try_from(len).unwrap_or(captured))];
            direction.push(&segment(seq, len, &payload, flags), &mut |_| {});
            direction.acknowledged(ack, &mut |_| {});
            direction.unwanted(len);
        }
        direction.give_up_holes(&mut |_| {});
        prop_assert_eq!(direction.held_bytes(), 0);
    }
}

/// The chunks of a series of pushes, as text.
fn chunks(work: impl FnOnce(&mut Direction, &mut dyn FnMut(Chunk<'_>))) -> Vec<String> {
    let mut chunks = Vec::new();
    work(&mut Direction::default(), &mut |chunk| {
        chunks.push(match chunk {
            Chunk::Data(data, _) => String::from_utf8_lossy(data).into_owned(),
            Chunk::Gap(len) => format!("gap {len}"),
            Chunk::Fin(_) => "fin".to_owned(),
            Chunk::Rst(_) => "rst".to_owned(),
        });
    });
    chunks
}

#[test]
fn a_repeated_syn_does_not_begin_the_stream_anew() {
    let given = chunks(|direction, give| {
        direction.push(&segment(99, 0, b"", 2), give);
        direction.push(&segment(100, 2, b"ab", 16), give);
        direction.push(&segment(99, 0, b"", 2), give);
        direction.push(&segment(100, 4, b"abcd", 16), give);
    });
    assert_eq!(given, ["ab", "cd"]);
}

#[test]
fn data_on_a_syn_begins_behind_it() {
    let given = chunks(|direction, give| {
        direction.push(&segment(u32::MAX, 2, b"ab", 2), give);
        direction.push(&segment(0, 4, b"abcd", 16), give);
    });
    assert_eq!(given, ["ab", "cd"]);
}

#[test]
fn keep_alive_and_zero_window_probes_add_nothing() {
    let given = chunks(|direction, give| {
        direction.push(&segment(0, 2, b"ab", 16), give);
        direction.push(&segment(1, 1, b"?", 16), give);
        direction.push(&segment(2, 1, b"c", 16), give);
        direction.push(&segment(2, 2, b"cd", 16), give);
    });
    assert_eq!(given, ["ab", "c", "d"]);
}

#[test]
fn a_connection_is_not_joined_at_a_keep_alive() {
    let given = chunks(|direction, give| {
        direction.push(&segment(99, 0, b"", 16), give);
        direction.acknowledged(100, give);
        direction.push(&segment(100, 2, b"ab", 16), give);
    });
    assert_eq!(given, ["ab"]);
}

#[test]
fn a_fin_is_given_once_and_its_acknowledgement_is_no_gap() {
    let given = chunks(|direction, give| {
        direction.push(&segment(0, 2, b"ab", 17), give);
        direction.push(&segment(0, 2, b"ab", 17), give);
        direction.push(&segment(2, 0, b"", 17), give);
        direction.acknowledged(3, give);
    });
    assert_eq!(given, ["ab", "fin"]);
}

#[test]
fn a_mark_for_what_is_unwanted_does_not_come_round_again() {
    let given = chunks(|direction, give| {
        direction.push(&segment(0, 1, b"a", 16), give);
        direction.unwanted(10);
        // Two and more GiB pass, as acknowledgements tell.
        direction.acknowledged(1 << 30, give);
        direction.acknowledged(2 << 30, give);
        direction.acknowledged(3 << 30, give);
        // This one is early, and its hole may still be filled.
        direction.push(&segment((3 << 30) + 1, 1, b"c", 16), give);
        direction.push(&segment(3 << 30, 1, b"b", 16), give);
    });
    let gap = 1 << 30;
    assert_eq!(
        given,
        ["a", &format!("gap {}", gap - 1), &format!("gap {gap}"), &format!("gap {gap}"), "b", "c"]
    );
}

#[test]
fn segments_without_bytes_are_held_in_bounds_too() {
    let mut direction = Direction::default();
    direction.push(&segment(0, 1, b"a", 16), &mut |_| {});
    for seq in 0..1_000_000 {
        direction.push(&segment(10 + seq, 0, b"", 1), &mut |_| {});
        assert!(direction.held_bytes() <= HELD_MAX_BYTES);
        assert!(direction.held.len() * 32 <= HELD_MAX_BYTES);
    }
}

#[test]
fn a_hole_is_given_up_after_its_time() {
    let given = chunks(|direction, give| {
        direction.push(&segment(0, 1, b"a", 16), give);
        direction.push(&segment(5, 1, b"f", 16), give);
        direction.expire(Timestamp(1 + HOLE_MAX_NS), give);
        give(Chunk::Gap(0));
        direction.expire(Timestamp(2 + HOLE_MAX_NS), give);
    });
    assert_eq!(given, ["a", "gap 0", "gap 4", "f"]);
}

#[test]
fn how_a_segment_arrives_is_told() {
    let mut direction = Direction::default();
    let arrivals = [(0, b"ab"), (4, b"ef"), (4, b"ef"), (3, b"dX"), (0, b"ab"), (2, b"cd")]
        .map(|(seq, payload)| direction.push(&segment(seq, 2, payload, 16), &mut |_| {}));
    assert_eq!(
        arrivals,
        [
            Arrival::InOrder,
            Arrival::OutOfOrder,
            Arrival::Retransmitted,
            Arrival::Conflicting,
            Arrival::Retransmitted,
            Arrival::Retransmitted,
        ],
        "the last brings one byte that waits already"
    );
}
