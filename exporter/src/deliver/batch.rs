//! The records of one request, from the queue to the moment their fate is counted.
//!
//! A batch is settled exactly once by construction: every way to settle takes it by value, and one
//! that is dropped unsettled, whatever cancelled its task, counts as lost to the shutdown.

use std::mem;
use std::sync::Arc;

use tokio::time::Instant;

use super::queue::{Queue, Room};
use crate::export::Record;
use crate::stats::{Cause, Outcome, Tally};

/// Records that are sent together.
#[derive(Debug)]
pub(super) struct Batch {
    records: Vec<Record>,
    /// An upper bound of the request's size.
    bytes: usize,
    opened: Instant,
    /// It is a half of a batch that was too large.
    half: bool,
    /// Its part of the queue's `unsettled` room.
    room: Room,
    queue: Arc<Queue>,
}

impl Batch {
    /// `bytes` is the room it takes in `queue`, `opened` when its first record came.
    pub(super) fn new(
        records: Vec<Record>,
        bytes: usize,
        opened: Instant,
        queue: Arc<Queue>,
    ) -> Self {
        let room = Room { bytes, items: records.len() };
        Self { records, bytes, opened, half: false, room, queue }
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    /// An upper bound of the request's size.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether its oldest record is past the age limit at `now`.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        now.duration_since(self.opened) >= self.queue.limits().age
    }

    /// Its two halves, if it has not been split before and size can be the reason that it was
    /// refused; else the batch itself.
    pub(super) fn split(mut self) -> Result<[Self; 2], Self> {
        if self.half || self.records.len() < 2 || self.bytes < SMALLEST_LIMIT_BYTES {
            return Err(self);
        }
        let tail = self.records.split_off(self.records.len() / 2);
        let head = mem::take(&mut self.records);
        // Which half owes how much of the room is of no matter, as long as it adds up.
        let (bytes, rest) = (self.bytes / 2, self.bytes - self.bytes / 2);
        self.room = Room::default();
        let half = |records, bytes| {
            let mut batch = Self::new(records, bytes, self.opened, self.queue.clone());
            batch.half = true;
            batch
        };
        Ok([half(head, bytes), half(tail, rest)])
    }

    /// Counts every record as `outcome`.
    pub(super) fn settle(mut self, outcome: Outcome) {
        self.settle_rest(outcome);
    }

    /// Counts an acknowledged batch of which `rejected` records were not taken. The collector does
    /// not say which, so units that ride in records are taken to be lost in proportion, rounded up.
    pub(super) fn settle_accepted(mut self, rejected: u64) {
        let total = self.tally();
        let lost = share(total, rejected);
        let account = self.queue.account();
        account.settle_all(lost, Outcome::Lost(Cause::RejectedPartial));
        account.settle_all(difference(total, lost), Outcome::Exported);
        self.records.clear();
        self.settle_rest(Outcome::Exported);
    }

    fn tally(&self) -> Tally {
        let mut total = Tally::default();
        self.records.iter().for_each(|record| total.add(record.tally));
        total
    }

    fn settle_rest(&mut self, outcome: Outcome) {
        self.queue.account().settle_all(self.tally(), outcome);
        self.records.clear();
        self.queue.release(mem::take(&mut self.room));
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.settle_rest(Outcome::Lost(Cause::Shutdown));
    }
}

/// No collector or proxy that takes OTLP refuses less than this for its size.
const SMALLEST_LIMIT_BYTES: usize = 16 << 10;

/// What of `total` is lost when `rejected` of its records are.
fn share(total: Tally, rejected: u64) -> Tally {
    let records = total.log_records + total.spans;
    let rejected = rejected.min(records);
    let of = |units: u64| (units * rejected).div_ceil(records.max(1)).min(units);
    Tally {
        http: of(total.http),
        tls: of(total.tls),
        dns: of(total.dns),
        connections: of(total.connections),
        log_records: of(total.log_records),
        spans: of(total.spans),
    }
}

fn difference(total: Tally, part: Tally) -> Tally {
    Tally {
        http: total.http - part.http,
        tls: total.tls - part.tls,
        dns: total.dns - part.dns,
        connections: total.connections - part.connections,
        log_records: total.log_records - part.log_records,
        spans: total.spans - part.spans,
    }
}

#[cfg(test)]
mod tests {
    use super::{Tally, difference, share};
    use proptest::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn rejected_records_are_counted_exactly_and_what_rides_in_them_rounded_up() {
        let total = Tally { http: 3, dns: 2, connections: 5, log_records: 10, ..Tally::default() };
        let lost = Tally { http: 1, dns: 1, connections: 2, log_records: 3, ..Tally::default() };
        assert_eq!(share(total, 3), lost);
        assert_eq!(share(total, 10), total);
        assert_eq!(share(total, u64::MAX), total, "a collector cannot reject more than it got");
        assert_eq!(share(Tally::default(), 1), Tally::default());
    }

    proptest! {
        #[test]
        fn what_is_lost_and_what_is_not_add_up(
            http in 0_u64..1000, log_records in 1_u64..1000, rejected in 0_u64..2000,
        ) {
            let total = Tally { http, log_records, ..Tally::default() };
            let lost = share(total, rejected);
            let mut sum = difference(total, lost);
            sum.add(lost);
            prop_assert_eq!(sum, total);
            prop_assert!(lost.log_records == rejected.min(log_records));
        }
    }
}
