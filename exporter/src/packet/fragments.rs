//! Fragments of IP packets in, whole packets out (RFC 791 section 3.2, RFC 8200 section 4.5).
//!
//! Bounded in number, memory and time. Where fragments overlap, the byte that came first stays.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use etherparse::IpNumber;

use super::Captured;
use crate::flow::Timestamp;
use crate::stats::Cause;

/// How long fragments wait for each other (RFC 8200 section 4.5).
const WAIT_MAX_NS: u64 = 60 * 1_000_000_000;
/// The last packets to begin that are remembered.
pub(super) const PACKETS_MAX: usize = 4096;
/// What they may take together.
pub(super) const MEMORY_MAX_BYTES: usize = 8 * 1024 * 1024;
/// An IP packet is no longer.
const PACKET_MAX_BYTES: usize = 65_535;
/// Pieces a packet may have with holes between them.
const PIECES_MAX: usize = 256;

/// Sender and receiver; IPv4 addresses are kept IPv4-mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Addresses {
    pub(super) source: [u8; 16],
    pub(super) destination: [u8; 16],
}

/// A part of an IP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment<'a> {
    pub(super) addresses: Addresses,
    pub(super) is_v6: bool,
    pub(super) id: u32,
    pub(super) protocol: IpNumber,
    /// Where its payload begins in the packet's.
    pub(super) offset: usize,
    pub(super) more: bool,
    pub(super) payload: Captured<'a>,
    pub(super) at: Timestamp,
    pub(super) depth: u8,
}

/// What makes fragments those of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    addresses: Addresses,
    id: u32,
    /// Of IPv6, only the first fragment tells it.
    protocol: Option<IpNumber>,
}

impl Key {
    fn of(fragment: &Fragment<'_>) -> Self {
        let protocol = (!fragment.is_v6).then_some(fragment.protocol);
        Self { addresses: fragment.addresses, id: fragment.id, protocol }
    }
}

/// A packet that was put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    pub(super) addresses: Addresses,
    pub(super) protocol: IpNumber,
    pub(super) bytes: Vec<u8>,
    pub(super) at: Timestamp,
    pub(super) depth: u8,
    /// How many captured packets it was made of.
    pub packets: u64,
}

/// The packets that are not whole yet.
#[derive(Debug, Default)]
pub struct Fragments {
    waiting: HashMap<Key, Waiting>,
    /// In the order in which they began; those that are whole have left their places behind.
    order: VecDeque<(Key, Timestamp)>,
    memory: usize,
}

impl Fragments {
    /// Takes a fragment that came in `packets` captured packets, and gives what it makes whole.
    /// `lose` is told of captured packets that will be part of nothing, and why.
    pub fn add(
        &mut self,
        fragment: &Fragment<'_>,
        packets: u64,
        lose: &mut dyn FnMut(Cause, u64),
    ) -> Option<Whole> {
        let key = Key::of(fragment);
        self.make_room(fragment.at, lose);
        let waiting = self.waiting.entry(key).or_insert_with(|| {
            self.order.push_back((key, fragment.at));
            Waiting::new(fragment)
        });
        let before = waiting.bytes.len();
        if let Err(cause) = waiting.add(fragment) {
            lose(cause, packets);
            return None;
        }
        waiting.packets += packets;
        self.memory += waiting.bytes.len() - before;
        if !waiting.is_whole() {
            return None;
        }
        let whole = self.waiting.remove(&key)?;
        self.memory -= whole.bytes.len();
        Some(whole.into_packet(key.addresses, fragment.at))
    }

    /// Nothing more comes: what waits will not be whole.
    pub fn finish(&mut self, lose: &mut dyn FnMut(Cause, u64)) {
        for (_, waiting) in self.waiting.drain() {
            lose(Cause::Gap, waiting.packets);
        }
        self.order.clear();
        self.memory = 0;
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Gives up what has waited for too long and, where there are too many, what began first.
    fn make_room(&mut self, now: Timestamp, lose: &mut dyn FnMut(Cause, u64)) {
        while let Some((key, began)) = self.order.front().copied() {
            let late = now.since(began) > WAIT_MAX_NS;
            let full = self.order.len() >= PACKETS_MAX || self.memory > MEMORY_MAX_BYTES;
            if !late && !full {
                break;
            }
            self.order.pop_front();
            if self.waiting.get(&key).is_some_and(|waiting| waiting.began == began)
                && let Some(waiting) = self.waiting.remove(&key)
            {
                self.memory -= waiting.bytes.len();
                lose(if late { Cause::Gap } else { Cause::TableFull }, waiting.packets);
            }
        }
    }
}

/// A packet that is not whole yet.
#[derive(Debug)]
struct Waiting {
    began: Timestamp,
    protocol: IpNumber,
    depth: u8,
    bytes: Vec<u8>,
    /// Which of `bytes` have come: in order, with holes between them.
    pieces: Vec<Range<usize>>,
    /// How long it will be; the last fragment tells.
    len: Option<usize>,
    packets: u64,
}

impl Waiting {
    fn new(fragment: &Fragment<'_>) -> Self {
        Self {
            began: fragment.at,
            protocol: fragment.protocol,
            depth: fragment.depth,
            bytes: Vec::new(),
            pieces: Vec::new(),
            len: None,
            packets: 0,
        }
    }

    fn add(&mut self, fragment: &Fragment<'_>) -> Result<(), Cause> {
        let payload = fragment.payload.bytes();
        if payload.len() < fragment.payload.len() {
            return Err(Cause::CutShort);
        }
        let piece = fragment.offset..fragment.offset + payload.len();
        let last = self.pieces.last().map_or(0, |piece| piece.end);
        let too_long = piece.end > self.len.unwrap_or(PACKET_MAX_BYTES);
        let uneven = fragment.more && !payload.len().is_multiple_of(8);
        let contradicts =
            !fragment.more && (self.len.unwrap_or(piece.end), last) > (piece.end, piece.end);
        if payload.is_empty()
            || too_long
            || uneven
            || contradicts
            || self.pieces.len() >= PIECES_MAX
        {
            return Err(Cause::Malformed);
        }
        if !fragment.more {
            self.len = Some(piece.end);
        }
        if fragment.offset == 0 && self.pieces.first().is_none_or(|first| first.start > 0) {
            self.protocol = fragment.protocol;
        }
        self.fill(&piece, payload);
        self.note(piece);
        Ok(())
    }

    /// Copies what has not come before.
    fn fill(&mut self, piece: &Range<usize>, payload: &[u8]) {
        if self.bytes.len() < piece.end {
            self.bytes.resize(piece.end, 0);
        }
        let mut copy = |hole: Range<usize>| {
            let from = hole.start.saturating_sub(piece.start)..hole.end.saturating_sub(piece.start);
            if let (Some(to), Some(from)) = (self.bytes.get_mut(hole), payload.get(from)) {
                to.copy_from_slice(from);
            }
        };
        let mut start = piece.start;
        for known in &self.pieces {
            if known.start > start {
                copy(start..known.start.min(piece.end).max(start));
            }
            start = start.max(known.end);
        }
        copy(start..piece.end.max(start));
    }

    /// Puts a piece among the others, and joins those that meet.
    fn note(&mut self, piece: Range<usize>) {
        let place = self.pieces.partition_point(|known| known.start < piece.start);
        self.pieces.insert(place, piece);
        self.pieces.dedup_by(|next, before| {
            let meet = next.start <= before.end;
            if meet {
                before.end = before.end.max(next.end);
            }
            meet
        });
    }

    fn is_whole(&self) -> bool {
        matches!((self.pieces.as_slice(), self.len), ([all], Some(len)) if *all == (0..len))
    }

    fn into_packet(self, addresses: Addresses, at: Timestamp) -> Whole {
        let Self { protocol, depth, bytes, packets, .. } = self;
        Whole { addresses, protocol, bytes, at, depth, packets }
    }
}
