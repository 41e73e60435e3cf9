//! What the kernel side need not copy of a direction, or must.

use crate::flow::{Direction, Verdict};
use crate::parse::http1::Side;

use super::super::Found;
use super::{Flow, Protocol, Scope};

/// The smallest skip that is worth telling the kernel side.
const SKIP_MIN_BYTES: u64 = 2048;
/// What one verdict may skip: sequence numbers compare over less than 2 GiB.
const SKIP_MAX_BYTES: u64 = 1 << 30;
/// How far the kernel side copies while a head is open: as `COPY_WINDOW` in `bpf/flow.h`.
const COPY_WINDOW_BYTES: u32 = 80 * 1024;
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
            Protocol::Http1(http1) => {
                let is_client = self.client == Some(direction);
                let side = if is_client { Side::Request } else { Side::Response };
                let (skippable, wants_more) = (http1.skippable(side), http1.wants_more(side));
                self.advise_http1(direction, skippable, wants_more)
            }
        };
        if let Some(verdict) = verdict {
            scope.found.push(Found::Verdict(cell, verdict));
            if verdict == Verdict::Done {
                scope.found.push(Found::Verdict(cell.reversed(), verdict));
            }
        }
    }

    fn advise_http1(
        &mut self,
        direction: Direction,
        skippable: u64,
        wants_more: bool,
    ) -> Option<Verdict> {
        let way = self.way_mut(direction);
        let next = way.reassembly.next()?;
        if skippable >= SKIP_MIN_BYTES {
            // The last byte is wanted: it tells when the message ended.
            let bytes = u32::try_from((skippable - 1).min(SKIP_MAX_BYTES)).ok()?;
            // The window opens again behind what is skipped.
            way.extended_at = Some(next.wrapping_add(bytes));
            return way.reassembly.unwanted(bytes).map(Verdict::SkipUntil);
        }
        let since = next.wrapping_sub(*way.extended_at.get_or_insert(next));
        if since <= EXTEND_EVERY_BYTES {
            return None;
        }
        way.extended_at = Some(next);
        wants_more.then(|| Verdict::CopyUntil(next.wrapping_add(COPY_WINDOW_BYTES)))
    }
}
