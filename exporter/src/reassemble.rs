//! TCP reassembly (RFC 9293 section 3.4): segments of one direction in, ordered chunks out.
//!
//! Owns the sequence number that is expected next and the segments that came too early. Bytes that
//! were never captured come out as an explicit [`Chunk::Gap`]: nothing may be read across it.
//!
//! A hole is waited for only as long as it can still be filled: once the receiver has acknowledged
//! bytes that we have not seen, we never will.

use std::collections::VecDeque;

use crate::event::{Segment, TcpFlags};
use crate::flow::Timestamp;

/// How much one direction may hold back behind a hole.
const HELD_MAX_BYTES: usize = 64 * 1024;
/// What a held segment costs beside its payload: many small ones are bounded as well.
const HELD_COST_BYTES: usize = size_of::<Held>();
/// How long a hole may last where no acknowledgement tells that it stays.
const HOLE_MAX_NS: u64 = 1_000_000_000;

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
}

/// `a - b` in sequence space, where both are at most 2 GiB apart.
fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

impl Direction {
    /// Takes a segment, and gives every chunk that is now in order.
    pub fn push(&mut self, segment: &Segment<'_>, give: &mut dyn FnMut(Chunk<'_>)) {
        if segment.flags.contains(TcpFlags::RST) {
            self.give_up_holes(give);
            give(Chunk::Rst(segment.at));
            return;
        }
        let mut seq = segment.seq;
        if segment.flags.contains(TcpFlags::SYN) {
            seq = seq.wrapping_add(1);
            if self.isn != Some(segment.seq) {
                *self = Self { next: Some(seq), isn: Some(segment.seq), ..Self::default() };
            }
        }
        let next = *self.next.get_or_insert(seq);
        let fin = segment.flags.contains(TcpFlags::FIN);
        if distance(seq, next) <= 0 || self.is_unwanted_until(seq) {
            self.deliver(seq, segment.len, segment.payload, fin, segment.at, give);
            self.deliver_held(give);
        } else {
            self.hold(seq, segment, fin);
            if self.held_bytes > HELD_MAX_BYTES {
                self.give_up_holes(give);
            }
        }
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

    fn is_unwanted_until(&self, seq: u32) -> bool {
        self.unwanted_before.is_some_and(|until| distance(seq, until) <= 0)
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
        // What is held before `seq` is of use, however unwanted.
        while let Some(held) = self.take_held(|early| distance(early, seq) < 0) {
            self.deliver(held.seq, held.len, &held.payload, held.fin, held.at, give);
        }
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

    fn hold(&mut self, seq: u32, segment: &Segment<'_>, fin: bool) {
        let place = self.held.partition_point(|held| distance(held.seq, seq) < 0);
        let covers = |held: &Held| {
            held.seq == seq
                && held.len >= segment.len
                && held.payload.len() >= segment.payload.len()
                && (held.fin || !fin)
        };
        if self.held.get(place).is_some_and(covers) {
            return;
        }
        let payload = segment.payload.into();
        let held = Held { seq, len: segment.len, payload, fin, at: segment.at };
        self.held_bytes += held.cost();
        self.held.insert(place, held);
    }

    /// Takes the first held segment, if its sequence number is a fit.
    fn take_held(&mut self, fits: impl FnOnce(u32) -> bool) -> Option<Held> {
        self.held.front().filter(|held| fits(held.seq))?;
        let held = self.held.pop_front()?;
        self.held_bytes -= held.cost();
        Some(held)
    }

    fn deliver_held(&mut self, give: &mut dyn FnMut(Chunk<'_>)) {
        while let Some(next) = self.next
            && let Some(held) = self.take_held(|early| distance(early, next) <= 0)
        {
            self.deliver(held.seq, held.len, &held.payload, held.fin, held.at, give);
        }
    }
}

#[cfg(test)]
mod tests;
