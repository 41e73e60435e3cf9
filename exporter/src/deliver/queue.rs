//! Records of one signal in, batches out: a bounded queue that makes its producer wait only if it
//! is told to.
//!
//! Records are put into batches as they arrive, so the lock is held only to move one record or one
//! whole batch. Owns the bounds and the linger, and counts what does not fit; does not send. The
//! bounds cover everything not yet settled, so a batch that is being sent still takes its room.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::WhenFull;
use super::batch::Batch;
use crate::export::Record;
use crate::stats::{Account, Cause, Outcome};

/// What a record costs in a request besides its own bytes: a tag and a length.
const RECORD_BYTES: usize = 6;
/// What a resource costs in a request besides its own bytes: tags, lengths, scope, schema URLs.
const RESOURCE_BYTES: usize = 256;

/// The bounds of one signal's queue.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Encoded bytes that may wait or be under way.
    pub queue_bytes: usize,
    /// Records that may wait or be under way.
    pub queue_items: usize,
    /// A batch of this many bytes is sent at once.
    pub batch_bytes: usize,
    /// No request is larger; below the Collector's 4 MiB for a gRPC message.
    pub request_bytes: usize,
    /// A batch is sent when its first record has waited this long, whatever its size.
    pub linger: Duration,
    /// A record that is this old is not sent any more.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue_bytes: 32 << 20,
            queue_items: 200_000,
            batch_bytes: 1 << 20,
            request_bytes: 3 << 20,
            linger: Duration::from_millis(200),
            // Loki takes records up to an hour behind the newest of their stream.
            age: Duration::from_secs(55 * 60),
        }
    }
}

/// What waits, and how much is not yet settled.
#[derive(Debug, Default)]
struct State {
    open: Vec<Record>,
    open_bytes: usize,
    opened: Option<Instant>,
    ready: VecDeque<Batch>,
    unsettled: Room,
    closed: bool,
}

/// Room in the queue.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Room {
    pub(super) bytes: usize,
    pub(super) items: usize,
}

/// The queue of one signal.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something new to wait for: a first record, a full batch, the end.
    changed: Notify,
    /// There is room for a producer that waits.
    released: Condvar,
    limits: Limits,
    when_full: WhenFull,
    account: Arc<Account>,
}

impl Queue {
    pub(super) fn new(limits: Limits, when_full: WhenFull, account: Arc<Account>) -> Self {
        let (state, changed, released) = Default::default();
        Self { state, changed, released, limits, when_full, account }
    }

    /// Queues a record, or counts it lost if it is too large or there is no room.
    pub(super) fn push(self: &Arc<Self>, record: Record) {
        let tally = record.tally;
        if let Err(cause) = self.try_push(record) {
            self.account.settle_all(tally, Outcome::Lost(cause));
        }
    }

    fn try_push(self: &Arc<Self>, record: Record) -> Result<(), Cause> {
        let alone = record.bytes.len() + RECORD_BYTES + record.resource.len() + RESOURCE_BYTES;
        if alone > self.limits.request_bytes {
            return Err(Cause::TooLarge);
        }
        let mut state = self.room(alone)?;
        let mut bytes = state.cost(&record);
        if state.open_bytes + bytes > self.limits.request_bytes {
            state.seal(self);
            bytes = alone;
        }
        let Room { bytes: used, items } = state.unsettled;
        let first = state.open.is_empty();
        if first {
            state.opened = Some(Instant::now());
        }
        state.open.push(record);
        state.open_bytes += bytes;
        state.unsettled = Room { bytes: used + bytes, items: items + 1 };
        let full = state.open_bytes >= self.limits.batch_bytes;
        if full {
            state.seal(self);
        }
        drop(state);
        if first || full {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// The queue with room for a record of so many bytes, now or later.
    fn room(&self, bytes: usize) -> Result<MutexGuard<'_, State>, Cause> {
        let mut state = self.lock();
        loop {
            let Room { bytes: used, items } = state.unsettled;
            if used + bytes <= self.limits.queue_bytes && items < self.limits.queue_items {
                return Ok(state);
            }
            if items == 0 || !self.when_full.waits() {
                return Err(self.when_full.cause());
            }
            state = self
                .released
                .wait_timeout(state, WhenFull::LOOK_EVERY)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// The next batch: a full one, or what has lingered long enough; `None` when the queue is
    /// closed and empty. For one task at a time.
    pub(super) async fn next(self: &Arc<Self>) -> Option<Batch> {
        loop {
            let lingers_until = match self.poll() {
                Poll::Batch(batch) => return Some(batch),
                Poll::Closed => return None,
                Poll::Lingers(until) => until,
                Poll::Empty => {
                    self.changed.notified().await;
                    continue;
                }
            };
            // Woken or not, `poll` looks again.
            timeout_at(lingers_until, self.changed.notified()).await.unwrap_or_default();
        }
    }

    fn poll(self: &Arc<Self>) -> Poll {
        let mut state = self.lock();
        if let Some(batch) = state.ready.pop_front() {
            return Poll::Batch(batch);
        }
        let due = state.opened.map(|opened| opened + self.limits.linger);
        match due {
            Some(due) if !state.closed && Instant::now() < due => return Poll::Lingers(due),
            Some(_) => state.seal(self),
            None => {}
        }
        match state.ready.pop_front() {
            Some(batch) => Poll::Batch(batch),
            None if state.closed => Poll::Closed,
            None => Poll::Empty,
        }
    }

    /// Ends the linger: what is queued is given out at once, then nothing more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Gives back the room of records that have been settled.
    pub(super) fn release(&self, room: Room) {
        let unsettled = &mut self.lock().unsettled;
        unsettled.bytes -= room.bytes;
        unsettled.items -= room.items;
        self.released.notify_all();
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What [`Queue::next`] is to do.
enum Poll {
    Batch(Batch),
    Lingers(Instant),
    Empty,
    Closed,
}

impl State {
    /// An upper bound of what the record adds to the open batch's request.
    fn cost(&self, record: &Record) -> usize {
        let same =
            self.open.last().is_some_and(|last| Arc::ptr_eq(&last.resource, &record.resource));
        let resource = if same { 0 } else { record.resource.len() + RESOURCE_BYTES };
        record.bytes.len() + RECORD_BYTES + resource
    }

    /// Makes the open batch ready. The next one expects as many records.
    fn seal(&mut self, queue: &Arc<Queue>) {
        let Some(opened) = self.opened.take() else { return };
        let capacity = self.open.len();
        let records = mem::replace(&mut self.open, Vec::with_capacity(capacity));
        let bytes = mem::take(&mut self.open_bytes);
        self.ready.push_back(Batch::new(records, bytes, opened, queue.clone()));
    }
}

#[cfg(test)]
mod tests;
