//! The `flows` array, mapped into this process: where verdicts are written without a system call.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use libbpf_rs::MapCore;
use memmap2::{MmapOptions, MmapRaw};

use crate::flow::{COPY_WINDOW_BYTES, Cell, Verdict};

use super::skeleton::types::{decision_layout, flow_cell, flow_pair, verdict as kernel, window};

/// The decision is the first 8 bytes of a cell.
const CELL_BYTES: usize = size_of::<flow_cell>();
const TAG_SHIFT: u32 = decision_layout::DECISION_TAG_SHIFT.0;
const VERDICT_SHIFT: u32 = decision_layout::DECISION_VERDICT_SHIFT.0;

const _: () = assert!(std::mem::offset_of!(flow_cell, decision) == 0);
const _: () = assert!(COPY_WINDOW_BYTES == window::COPY_WINDOW.0);

/// Writes verdicts to the kernel side.
pub struct Verdicts {
    cells: MmapRaw,
}

impl Verdicts {
    /// Maps the array `flows`.
    ///
    /// # Errors
    /// If the kernel does not allow it.
    pub fn map(flows: &impl MapCore) -> Result<Self> {
        let pairs = usize::try_from(flows.max_entries())?;
        let cells = MmapOptions::new()
            .len(pairs * size_of::<flow_pair>())
            .map_raw(flows.as_fd().as_raw_fd())
            .context("cannot map the flows array")?;
        Ok(Self { cells })
    }

    /// Tells the kernel side what to do with one direction of a flow. Does nothing if another flow
    /// has taken the cell in the meantime, or if the kernel side is farther along the frames.
    pub fn set(&self, cell: Cell, verdict: Verdict) {
        let Some(decision) = self.decision(cell.index) else { return };
        let old = decision.load(Ordering::Relaxed);
        if old >> TAG_SHIFT == u64::from(cell.tag) && !is_ahead(old, verdict) {
            let new = encode(cell.tag, verdict);
            // The kernel side may have moved on: its newer decision stays.
            let _moved_on =
                decision.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    #[expect(unsafe_code, reason = "the array is shared memory")]
    fn decision(&self, index: u32) -> Option<&AtomicU64> {
        let offset = usize::try_from(index).ok()?.checked_mul(CELL_BYTES)?;
        if offset.checked_add(CELL_BYTES)? > self.cells.len() {
            return None;
        }
        // SAFETY: the offset is inside the mapping and 16-aligned in a page-aligned mapping, and
        // every access to it, in the kernel as well, is one aligned 8-byte load or store.
        Some(unsafe { &*self.cells.as_mut_ptr().add(offset).cast::<AtomicU64>() })
    }
}

/// The kernel side goes from frame header to frame header by itself, and sees each before we do:
/// only a header farther on tells it more than it knows.
fn is_ahead(decision: u64, verdict: Verdict) -> bool {
    let [.., kind, _, _, _, _] = decision.to_be_bytes();
    let [.., a, b, c, d] = decision.to_be_bytes();
    let cursor = u32::from_be_bytes([a, b, c, d]);
    [kernel::VERDICT_FRAMES.0, kernel::VERDICT_FRAMES_COPY.0].contains(&u32::from(kind))
        && match verdict {
            Verdict::Frames(seq) => seq.wrapping_sub(cursor).cast_signed() <= 0,
            Verdict::CopyUntil(_) | Verdict::SkipUntil(_) => true,
            Verdict::Done => false,
        }
}

fn encode(tag: u32, verdict: Verdict) -> u64 {
    let (kind, seq) = match verdict {
        Verdict::CopyUntil(seq) => (kernel::VERDICT_COPY, seq),
        Verdict::SkipUntil(seq) => (kernel::VERDICT_SKIP, seq),
        Verdict::Frames(seq) => (kernel::VERDICT_FRAMES, seq),
        Verdict::Done => (kernel::VERDICT_DONE, 0),
    };
    u64::from(tag) << TAG_SHIFT | u64::from(kind.0) << VERDICT_SHIFT | u64::from(seq)
}
