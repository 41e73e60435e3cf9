//! TCP reassembly (RFC 9293 section 3.4): segments of one direction in, ordered chunks out.
//!
//! Owns the sequence number that is expected next and the segments that came too early. Bytes that
//! were never captured come out as an explicit [`Chunk::Gap`]: nothing may be read across it. Of
//! bytes that come twice the first are taken, as receivers do, whether or not the second differ.
//!
//! A hole is waited for only as long as it can still be filled: once the receiver has acknowledged
//! bytes that we have not seen, we never will.

use std::collections::VecDeque;

use crate::event::{Segment, TcpFlags};
use crate::flow::Timestamp;
use crate::stats::Arrival;

/// How much one direction may hold back behind a hole.
const HELD_MAX_BYTES: usize = 64 * 1024;
/// What a held segment costs beside its payload: many small ones are bounded as well.
const HELD_COST_BYTES: usize = size_of::<Held>();
/// How long a hole may last where no acknowledgement tells that it stays: longer than a sender
/// waits before it sends again, and again.
const HOLE_MAX_NS: u64 = 10 * 1_000_000_000;

/// A piece of a direction's byte stream, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk<'a> {
    /// Bytes, as one segment carried them.
    Data(&'a [u8], Timestamp),
    /// This many bytes were not captured. A FIN that was lost counts as one.
    Gap(u64),
    /// The sender has closed its direction.
    Fin(Timestamp),
    /// The sender has reset the connection.
    Rst(Timestamp),
}

/// One direction of one connection.
#[derive(Debug, Default)]
pub struct Direction {
    next: Option<u32>,
    /// The sequence number of the SYN (RFC 9293 section 3.4.1), where it was seen.
    isn: Option<u32>,
    /// Bytes before this are not wanted: their absence is no reason to wait.
    unwanted_before: Option<u32>,
    /// By sequence number; all behind `next`.
    held: VecDeque<Held>,
    held_bytes: usize,
}

/// A segment that came before its turn.
#[derive(Debug)]
struct Held {
    seq: u32,
    len: u32,
    payload: Box<[u8]>,
    fin: bool,
    at: Timestamp,
}

impl Held {
    fn cost(&self) -> usize {
        self.payload.len() + HELD_COST_BYTES
    }

    fn end(&self) -> u32 {
        self.seq.wrapping_add(self.len)
    }
}

/// `a - b` in sequence space, where both are at most 2 GiB apart.
fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

impl Direction {
    /// Takes a segment, gives every chunk that is now in order, and tells how the segment fits.
    pub fn push(&mut self, segment: &Segment<'_>, give: &mut dyn FnMut(Chunk<'_>)) -> Arrival {
        if segment.flags.contains(TcpFlags::RST) {
            self.give_up_holes(give);
            give(Chunk::Rst(segment.at));
            return Arrival::InOrder;
        }
        let mut seq = segment.seq;
        if segment.flags.contains(TcpFlags::SYN) {
            seq = seq.wrapping_add(1);
            if self.isn != Some(segment.seq) {
                *self = Self { next: Some(seq), isn: Some(segment.seq), ..Self::default() };
            }
        }
        let fin = segment.flags.contains(TcpFlags::FIN);
        if self.next.is_none() && segment.len == 0 && !fin {
            // It may be a keep-alive, which is one behind the sender's (RFC 9293 section 3.8.4).
            return Arrival::InOrder;
        }
        let next = *self.next.get_or_insert(seq);
        if self.held.is_empty() && self.is_due(seq) {
            self.deliver(seq, segment.len, segment.payload, fin, segment.at, give);
            let repeats = distance(seq, next) < 0 && segment.len > 0;
            return if repeats { Arrival::Retransmitted } else { Arrival::InOrder };
        }
        let arrival = self.hold(seq, next, segment, fin);
        self.deliver_held(give);
        if self.held_bytes > HELD_MAX_BYTES {
            self.give_up_holes(give);
        }
        arrival
    }

    /// The receiver has everything before `ack`: what we lack of it will not come. Where nothing
    /// was seen yet, the direction begins there.
    pub fn acknowledged(&mut self, ack: u32, give: &mut dyn FnMut(Chunk<'_>)) {
        self.next.get_or_insert(ack);
        while let Some(next) = self.next
            && distance(ack, next) > 0
        {
            let first_held = self.held.front().map(|held| held.seq);
            let hole_end = match first_held {
                Some(seq) if distance(seq, ack) < 0 => seq,
                _ => ack,
            };
            self.skip_hole(hole_end, give);
            self.deliver_held(give);
        }
    }

    /// Whether bytes before `ack` have not been seen.
    #[must_use]
    pub fn lacks(&self, ack: u32) -> bool {
        self.next.is_some_and(|next| distance(ack, next) > 0)
    }

    /// The next `bytes` need not come: the kernel side has been told to skip them.
    pub fn unwanted(&mut self, bytes: u32) -> Option<u32> {
        let until = self.next?.wrapping_add(bytes);
        self.unwanted_before = Some(until);
        Some(until)
    }

    /// The sequence number that is expected next; `None` before the first segment.
    #[must_use]
    pub fn next(&self) -> Option<u32> {
        self.next
    }

    /// The sequence number of the SYN; `None` where none was seen.
    #[must_use]
    pub fn isn(&self) -> Option<u32> {
        self.isn
    }

    /// Bytes held back behind a hole, and what it costs to hold them.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Gives up a hole that has lasted too long.
    pub fn expire(&mut self, now: Timestamp, give: &mut dyn FnMut(Chunk<'_>)) {
        if self.held.front().is_some_and(|held| now.since(held.at) > HOLE_MAX_NS) {
            self.give_up_holes(give);
        }
    }

    /// Gives everything that is held, with its holes as gaps.
    pub fn give_up_holes(&mut self, give: &mut dyn FnMut(Chunk<'_>)) {
        while let Some(seq) = self.held.front().map(|held| held.seq) {
            self.skip_hole(seq, give);
            self.deliver_held(give);
        }
    }

    /// Throws away what is held, to make room: it becomes part of the hole before it.
    pub fn forget_held(&mut self) {
        self.held = VecDeque::new();
        self.held_bytes = 0;
    }

    /// Whether nothing that is wanted is missing before `seq`.
    fn is_due(&self, seq: u32) -> bool {
        let reaches = |until| distance(seq, until) <= 0;
        self.next.is_some_and(reaches) || self.unwanted_before.is_some_and(reaches)
    }

    fn skip_hole(&mut self, end: u32, give: &mut dyn FnMut(Chunk<'_>)) {
        if let Some(next) = self.next
            && let Ok(bytes @ 1..) = u64::try_from(distance(end, next))
        {
            give(Chunk::Gap(bytes));
            self.advance(end);
        }
    }

    /// A mark that is passed is forgotten: sequence numbers come round to it again.
    fn advance(&mut self, next: u32) {
        self.next = Some(next);
        self.unwanted_before = self.unwanted_before.filter(|until| distance(next, *until) < 0);
    }

    /// Gives a segment that begins at, before or, where the hole is unwanted, behind `next`.
    fn deliver(
        &mut self,
        seq: u32,
        len: u32,
        payload: &[u8],
        fin: bool,
        at: Timestamp,
        give: &mut dyn FnMut(Chunk<'_>),
    ) {
        self.skip_hole(seq, give);
        let Some(next) = self.next else { return };
        let seen = distance(next, seq).unsigned_abs();
        if seen > len {
            return;
        }
        let fresh = usize::try_from(seen).ok().and_then(|seen| payload.get(seen..)).unwrap_or(&[]);
        if !fresh.is_empty() {
            give(Chunk::Data(fresh, at));
        }
        let given = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        let cut = (len - seen).saturating_sub(given);
        if cut > 0 {
            give(Chunk::Gap(u64::from(cut)));
        }
        self.advance(seq.wrapping_add(len).wrapping_add(u32::from(fin)));
        if fin {
            give(Chunk::Fin(at));
        }
    }

    /// Keeps what of a segment is not there yet.
    fn hold(&mut self, seq: u32, next: u32, segment: &Segment<'_>, fin: bool) -> Arrival {
        let mut arrival = match distance(seq, next) {
            ..0 => Arrival::Retransmitted,
            0 => Arrival::InOrder,
            _ => Arrival::OutOfOrder,
        };
        let mut place = self.held.partition_point(|held| distance(held.end(), seq) <= 0);
        let mut from = 0;
        while from < segment.len {
            let here = seq.wrapping_add(from);
            let left = segment.len - from;
            let ahead = self.held.get(place).map(|held| distance(held.seq, here));
            from += match ahead.map(u32::try_from) {
                Some(Ok(free @ 1..)) => self.hold_piece(place, segment, from, free.min(left)),
                None => self.hold_piece(place, segment, from, left),
                Some(_) => {
                    let (covered, differs) = self.covered_by(place, here, piece(segment, from));
                    if differs {
                        arrival = Arrival::Conflicting;
                    } else if arrival != Arrival::Conflicting {
                        arrival = Arrival::Retransmitted;
                    }
                    covered.min(left)
                }
            };
            place += 1;
        }
        if fin {
            self.hold_fin(place, seq.wrapping_add(segment.len), segment.at);
        }
        arrival
    }

    /// How many bytes from `here` on the held segment at `place` has, and whether they differ.
    fn covered_by(&self, place: usize, here: u32, bytes: &[u8]) -> (u32, bool) {
        let Some(held) = self.held.get(place) else { return (0, false) };
        let covered = u32::try_from(distance(held.end(), here)).unwrap_or(0);
        let into = usize::try_from(here.wrapping_sub(held.seq)).unwrap_or(usize::MAX);
        let known = held.payload.get(into..).unwrap_or_default();
        (covered, known.iter().zip(bytes).any(|(first, second)| first != second))
    }

    /// Keeps `len` bytes of the segment, those at `from`, as the held segment at `place`.
    fn hold_piece(&mut self, place: usize, segment: &Segment<'_>, from: u32, len: u32) -> u32 {
        let bytes = piece(segment, from);
        let wanted = usize::try_from(len).unwrap_or(usize::MAX);
        let payload = bytes.get(..wanted).unwrap_or(bytes).into();
        let syn = u32::from(segment.flags.contains(TcpFlags::SYN));
        let seq = segment.seq.wrapping_add(syn).wrapping_add(from);
        self.insert(place, Held { seq, len, payload, fin: false, at: segment.at });
        len
    }

    fn hold_fin(&mut self, place: usize, end: u32, at: Timestamp) {
        match place.checked_sub(1).and_then(|last| self.held.get_mut(last)) {
            Some(last) if last.end() == end => last.fin = true,
            _ => self.insert(place, Held { seq: end, len: 0, payload: [].into(), fin: true, at }),
        }
    }

    fn insert(&mut self, place: usize, held: Held) {
        self.held_bytes += held.cost();
        self.held.insert(place.min(self.held.len()), held);
    }

    fn deliver_held(&mut self, give: &mut dyn FnMut(Chunk<'_>)) {
        while let Some(first) = self.held.front()
            && self.is_due(first.seq)
            && let Some(held) = self.held.pop_front()
        {
            self.held_bytes -= held.cost();
            self.deliver(held.seq, held.len, &held.payload, held.fin, held.at, give);
        }
    }
}

/// What was captured of the segment from byte `from` on.
fn piece<'a>(segment: &Segment<'a>, from: u32) -> &'a [u8] {
    usize::try_from(from).ok().and_then(|from| segment.payload.get(from..)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
