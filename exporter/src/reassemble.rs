//! TCP reassembly (RFC 9293 section 3.4): segments of one direction in, ordered chunks out.
//!
//! Owns the sequence number that is expected next and the segments that came too early. Bytes that
//! were never captured come out as an explicit [`Chunk::Gap`]: nothing may be read across it.
//!
//! A hole is waited for only as long as it can still be filled: once the receiver has acknowledged
//! bytes that we have not seen, we never will.

use crate::event::{Segment, TcpFlags};
use crate::flow::Timestamp;

/// How much one direction may hold back behind a hole.
const HELD_MAX_BYTES: usize = 64 * 1024;
/// How long a hole may last where no acknowledgement tells that it stays.
const HOLE_MAX_NS: u64 = 1_000_000_000;

/// A piece of a direction's byte stream, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk<'a> {
    /// Bytes, as one segment carried them.
    Data(&'a [u8], Timestamp),
    /// This many bytes were not captured.
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
    /// Bytes before this are not wanted: their absence is no reason to wait.
    unwanted_before: Option<u32>,
    held: Vec<Held>,
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
        if segment.flags.contains(TcpFlags::SYN) {
            *self = Self { next: Some(segment.seq.wrapping_add(1)), ..Self::default() };
            return;
        }
        let next = *self.next.get_or_insert(segment.seq);
        let early = distance(segment.seq, next);
        let fin = segment.flags.contains(TcpFlags::FIN);
        if early <= 0 || self.is_unwanted_until(segment.seq) {
            self.deliver(segment.seq, segment.len, segment.payload, fin, segment.at, give);
            self.deliver_held(give);
        } else {
            self.hold(segment, fin);
            if self.held_bytes > HELD_MAX_BYTES {
                self.give_up_holes(give);
            }
        }
    }

    /// The receiver has everything before `ack`: what we lack of it will not come.
    pub fn acknowledged(&mut self, ack: u32, give: &mut dyn FnMut(Chunk<'_>)) {
        while let Some(next) = self.next
            && distance(ack, next) > 0
        {
            let first_held = self.held.first().map(|held| held.seq);
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

    /// Bytes held back behind a hole.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Gives up a hole that has lasted too long.
    pub fn expire(&mut self, now: Timestamp, give: &mut dyn FnMut(Chunk<'_>)) {
        if self.held.first().is_some_and(|held| now.since(held.at) > HOLE_MAX_NS) {
            self.give_up_holes(give);
        }
    }

    /// Gives everything that is held, with its holes as gaps.
    pub fn give_up_holes(&mut self, give: &mut dyn FnMut(Chunk<'_>)) {
        while let Some(seq) = self.held.first().map(|held| held.seq) {
            self.skip_hole(seq, give);
            self.deliver_held(give);
        }
    }

    fn is_unwanted_until(&self, seq: u32) -> bool {
        self.unwanted_before.is_some_and(|until| distance(seq, until) <= 0)
    }

    fn skip_hole(&mut self, end: u32, give: &mut dyn FnMut(Chunk<'_>)) {
        if let Some(next) = self.next
            && let Ok(bytes @ 1..) = u64::try_from(distance(end, next))
        {
            give(Chunk::Gap(bytes));
            self.next = Some(end);
        }
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
        self.next = Some(seq.wrapping_add(len).wrapping_add(u32::from(fin)));
        if fin {
            give(Chunk::Fin(at));
        }
    }

    fn hold(&mut self, segment: &Segment<'_>, fin: bool) {
        let place = self.held.partition_point(|held| distance(held.seq, segment.seq) < 0);
        if self.held.get(place).is_some_and(|h| h.seq == segment.seq && h.len >= segment.len) {
            return;
        }
        self.held_bytes += segment.payload.len();
        self.held.insert(
            place,
            Held {
                seq: segment.seq,
                len: segment.len,
                payload: segment.payload.into(),
                fin,
                at: segment.at,
            },
        );
    }

    fn deliver_held(&mut self, give: &mut dyn FnMut(Chunk<'_>)) {
        while let (Some(next), Some(first)) = (self.next, self.held.first())
            && distance(first.seq, next) <= 0
        {
            let held = self.held.remove(0);
            self.held_bytes -= held.payload.len();
            self.deliver(held.seq, held.len, &held.payload, held.fin, held.at, give);
        }
    }
}
