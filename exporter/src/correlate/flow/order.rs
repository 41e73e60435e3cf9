//! Segments that a capture file holds before the bytes they acknowledge.
//!
//! The kernel side sees a connection in the order of cause and effect; a file that several queues
//! or processors wrote does not hold it so. A segment that acknowledges bytes which were not read
//! yet waits for them, within limits: else they would be taken for lost.

use std::collections::VecDeque;

use crate::event::{Segment, TcpFlags};
use crate::flow::{Direction, Timestamp};

use super::{Flow, Scope};

/// Segments that may wait.
const WAITING_MAX: usize = 64;
/// Bytes that may wait.
const WAITING_MAX_BYTES: usize = 64 * 1024;
/// How long one may wait, in time of capture.
const WAITING_MAX_NS: u64 = 1_000_000_000;

/// The segments of a flow that wait, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    segments: VecDeque<(Segment<'static>, Box<[u8]>, Direction)>,
    bytes: usize,
}

impl Waiting {
    /// About how many bytes of memory they take.
    pub(super) fn cost(&self) -> usize {
        self.bytes + self.segments.len() * size_of::<(Segment<'_>, Box<[u8]>, Direction)>()
    }

    fn push(&mut self, segment: &Segment<'_>, direction: Direction) {
        self.bytes += segment.payload.len();
        let bare = Segment { payload: &[], ..*segment };
        self.segments.push_back((bare, segment.payload.into(), direction));
    }

    fn pop(&mut self) -> Option<(Segment<'static>, Box<[u8]>, Direction)> {
        let first = self.segments.pop_front()?;
        self.bytes -= first.1.len();
        Some(first)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let first = self.segments.front();
        self.segments.len() > WAITING_MAX
            || self.bytes > WAITING_MAX_BYTES
            || first.is_some_and(|(segment, ..)| now.since(segment.at) > WAITING_MAX_NS)
    }
}

impl Flow {
    /// Takes a segment of a capture file, when its turn has come.
    pub(in crate::correlate) fn segment_of_file(
        &mut self,
        segment: &Segment<'_>,
        direction: Direction,
        scope: &mut Scope<'_>,
    ) {
        if self.is_early(segment, direction) {
            // An acknowledgement that carries nothing is told again by the next segment.
            if segment.len > 0 || segment.flags.0 & !TcpFlags::ACK.0 != 0 {
                self.waiting.push(segment, direction);
            }
        } else {
            self.segment(segment, direction, scope);
            self.take_waiting(scope, Self::is_due);
        }
        while self.waiting.is_over(segment.at) {
            self.take_first(scope);
            self.take_waiting(scope, Self::is_due);
        }
    }

    /// Takes all that wait, come what may.
    pub(super) fn take_all_waiting(&mut self, scope: &mut Scope<'_>) {
        self.take_waiting(scope, |_| true);
    }

    fn take_waiting(&mut self, scope: &mut Scope<'_>, may: impl Fn(&Self) -> bool) {
        while !self.waiting.segments.is_empty() && may(self) {
            self.take_first(scope);
        }
    }

    fn take_first(&mut self, scope: &mut Scope<'_>) {
        if let Some((bare, payload, direction)) = self.waiting.pop() {
            self.segment(&Segment { payload: &payload, ..bare }, direction, scope);
        }
    }

    fn is_due(&self) -> bool {
        let first = self.waiting.segments.front();
        first.is_some_and(|(segment, _, direction)| !self.is_early(segment, *direction))
    }

    fn is_early(&self, segment: &Segment<'_>, direction: Direction) -> bool {
        let acknowledged = &self.way(direction.reversed()).reassembly;
        segment.flags.contains(TcpFlags::ACK) && acknowledged.lacks(segment.ack)
    }
}
