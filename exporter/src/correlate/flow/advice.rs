//! What the kernel side need not copy of a direction, or must.

use crate::flow::{COPY_WINDOW_BYTES, Direction, Verdict};

use super::super::Found;
use super::super::conversation::Wants;
use super::{Flow, Protocol, Scope};

/// The smallest skip that is worth telling the kernel side.
const SKIP_MIN_BYTES: u64 = 2048;
/// What one verdict may skip: sequence numbers compare over less than 2 GiB.
const SKIP_MAX_BYTES: u64 = 1 << 30;
/// How much of it may be used up before it is moved on.
const EXTEND_EVERY_BYTES: u32 = 16 * 1024;

impl Flow {
    /// Tells the kernel side, where there is one, if its verdict on this direction is to change.
    pub(super) fn advise(&mut self, direction: Direction, scope: &mut Scope<'_>) {
        let cell = self.way(direction).cell;
        if cell.tag == 0 {
            return;
        }
        let verdict = match &self.protocol {
            Protocol::Other => Some(Verdict::Done),
            Protocol::Unknown(_) => None,
            Protocol::Known(conversation) => match conversation.wants(self.side(direction)) {
                Wants::Skip(bytes) if bytes >= SKIP_MIN_BYTES => self.skip(direction, bytes),
                Wants::Frame(bytes) => self.frame(direction, bytes),
                Wants::Skip(_) | Wants::More => self.copy_on(direction, true),
                Wants::Turn => self.copy_on(direction, false),
            },
        };
        if let Some(verdict) = verdict {
            scope.found.push(Found::Verdict(cell, verdict));
            if verdict == Verdict::Done {
                scope.found.push(Found::Verdict(cell.reversed(), verdict));
            }
        }
    }

    fn skip(&mut self, direction: Direction, bytes: u64) -> Option<Verdict> {
        // The last byte is wanted: it tells when the message ended.
        let bytes = u32::try_from((bytes - 1).min(SKIP_MAX_BYTES)).ok()?;
        let way = self.way_mut(direction);
        // The window opens again behind what is skipped.
        way.extended_at = Some(way.reassembly.next()?.wrapping_add(bytes));
        way.reassembly.unwanted(bytes).map(Verdict::SkipUntil)
    }

    fn frame(&mut self, direction: Direction, bytes: u64) -> Option<Verdict> {
        let bytes = u32::try_from(bytes.min(SKIP_MAX_BYTES)).ok()?;
        self.way_mut(direction).reassembly.unwanted(bytes).map(Verdict::Frames)
    }

    /// Moves the window on, if enough of it is used up and more is to be expected.
    fn copy_on(&mut self, direction: Direction, expects_more: bool) -> Option<Verdict> {
        let way = self.way_mut(direction);
        let next = way.reassembly.next()?;
        let since = next.wrapping_sub(*way.extended_at.get_or_insert(next));
        if since <= EXTEND_EVERY_BYTES {
            return None;
        }
        way.extended_at = Some(next);
        expects_more.then(|| Verdict::CopyUntil(next.wrapping_add(COPY_WINDOW_BYTES)))
    }
}
