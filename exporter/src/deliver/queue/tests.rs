//! The queue alone, on a clock that stands still until everything waits.

use super::{Limits, Queue, WhenFull};
use crate::export::{Record, Signal, request};
use crate::stats::{Account, Cause, Outcome, Tally, Unit};
use proptest::{prop_assert, proptest};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tokio::time::Instant;

const LIMITS: Limits = Limits {
    queue_bytes: 1 << 20,
    queue_items: 1000,
    batch_bytes: 64 << 10,
    request_bytes: 128 << 10,
    linger: Duration::from_millis(200),
    age: Duration::from_secs(60),
};

fn queue(limits: Limits) -> (Arc<Queue>, Arc<Account>) {
    queue_that(WhenFull::Lose, limits)
}

fn queue_that(when_full: WhenFull, limits: Limits) -> (Arc<Queue>, Arc<Account>) {
    let account = Arc::new(Account::default());
    (Arc::new(Queue::new(limits, when_full, account.clone())), account)
}

fn record(size: usize) -> Record {
    let tally = Tally { log_records: 1, ..Tally::default() };
    Record { signal: Signal::Logs, resource: [7; 100].into(), bytes: vec![1; size], tally }
}

fn lost(account: &Account, cause: Cause) -> u64 {
    account.row(Unit::LogRecords).count(Outcome::Lost(cause))
}

#[test]
fn records_over_the_item_bound_are_counted_exactly() {
    let (queue, account) = queue(Limits { queue_items: 10, ..LIMITS });
    (0..17).for_each(|_| queue.push(record(1)));
    assert_eq!(lost(&account, Cause::QueueFull), 7);
}

#[test]
fn records_over_the_byte_bound_are_counted_exactly() {
    // A record of 1000 bytes, with its own resource, takes 1000 + 6 + 100 + 256 bytes.
    let (queue, account) = queue(Limits { queue_bytes: 13_620, ..LIMITS });
    (0..15).for_each(|_| queue.push(record(1000)));
    assert_eq!(lost(&account, Cause::QueueFull), 5);
}

#[tokio::test]
async fn a_batch_takes_room_until_it_is_settled() {
    let (queue, account) = queue(Limits { queue_items: 2, linger: Duration::ZERO, ..LIMITS });
    (0..2).for_each(|_| queue.push(record(1)));
    let batch = queue.next().await.expect("two records wait");
    queue.push(record(1));
    assert_eq!(lost(&account, Cause::QueueFull), 1, "the batch is still under way");
    batch.settle(Outcome::Exported);
    (0..2).for_each(|_| queue.push(record(1)));
    assert_eq!(lost(&account, Cause::QueueFull), 1, "its room is free again");
}

#[tokio::test]
async fn the_halves_of_a_batch_give_back_all_its_room() {
    let (queue, account) = queue(Limits { queue_items: 3, linger: Duration::ZERO, ..LIMITS });
    (0..3).for_each(|_| queue.push(record(10_000)));
    let halves = queue.next().await.expect("three records wait").split().expect("it is large");
    assert_eq!(halves.each_ref().map(|half| half.records().len()), [1, 2]);
    halves.into_iter().for_each(|half| half.settle(Outcome::Exported));
    (0..3).for_each(|_| queue.push(record(10_000)));
    assert_eq!(lost(&account, Cause::QueueFull), 0);
}

#[test]
fn a_record_that_no_request_can_hold_is_counted_too_large() {
    let (queue, account) = queue(LIMITS);
    queue.push(record(LIMITS.request_bytes));
    assert_eq!(lost(&account, Cause::TooLarge), 1);
}

#[tokio::test(start_paused = true)]
async fn a_record_waits_for_the_linger_and_no_longer() {
    let (queue, _) = queue(LIMITS);
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { (queue.next().await, Instant::now()) }
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let pushed = Instant::now();
    queue.push(record(1));
    let (batch, at) = waiting.await.expect("the queue does not panic");
    assert_eq!(batch.expect("a record waits").records().len(), 1);
    let waited = at - pushed;
    let linger = LIMITS.linger..=LIMITS.linger + Duration::from_millis(2);
    assert!(linger.contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_linger() {
    let (queue, _) = queue(LIMITS);
    let start = Instant::now();
    (0..10).for_each(|_| queue.push(record(10_000)));
    let first = queue.next().await.expect("ten records wait");
    assert_eq!((first.records().len(), start.elapsed()), (7, Duration::ZERO));
    assert_eq!(queue.next().await.map(|batch| batch.records().len()), Some(3));
    assert!(start.elapsed() >= LIMITS.linger, "the rest lingered");
}

#[tokio::test(start_paused = true)]
async fn no_batch_is_larger_than_a_request_may_be() {
    let (queue, _) = queue(LIMITS);
    for size in [60_000, 100_000, 1, 130_700, 5] {
        queue.push(record(size));
    }
    queue.close();
    let mut sizes = Vec::new();
    while let Some(batch) = queue.next().await {
        sizes.push(batch.records().iter().map(|record| record.bytes.len()).collect::<Vec<_>>());
    }
    assert_eq!(sizes, [vec![60_000], vec![100_000], vec![1], vec![130_700], vec![5]]);
}

#[tokio::test(start_paused = true)]
async fn a_closed_queue_gives_the_rest_at_once_and_then_ends() {
    let (queue, _) = queue(LIMITS);
    let start = Instant::now();
    queue.push(record(1));
    queue.close();
    assert!(queue.next().await.is_some(), "the record that waited");
    assert!(queue.next().await.is_none(), "closed and empty");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_batch_that_is_dropped_counts_as_lost_to_the_shutdown() {
    let (queue, account) = queue(Limits { linger: Duration::ZERO, ..LIMITS });
    queue.push(record(1));
    drop(queue.next().await.expect("a record waits"));
    assert_eq!(lost(&account, Cause::Shutdown), 1);
}

proptest! {
    /// The bound on a request holds although the queue only estimates: no estimate is too low.
    #[test]
    fn a_batch_takes_at_least_the_room_of_its_request(
        picks in proptest::collection::vec((0_usize..4, 0_usize..3000), 1..60),
    ) {
        let resources: Vec<Arc<[u8]>> =
            (0..4).map(|n| vec![7; n * 211].into_iter().chain([u8::try_from(n).expect("n < 4")]).collect()).collect();
        let (queue, _) = queue(LIMITS);
        for (pick, size) in picks {
            let resource = resources.get(pick).cloned().expect("pick < 4");
            queue.push(Record { resource, ..record(size) });
        }
        queue.close();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        while let Some(batch) = runtime.block_on(queue.next()) {
            let body = request::assemble(Signal::Logs, batch.records());
            prop_assert!(body.len() <= batch.bytes(), "{} > {}", body.len(), batch.bytes());
            prop_assert!(batch.bytes() <= LIMITS.request_bytes);
        }
    }
}

#[tokio::test]
async fn a_producer_that_may_wait_loses_nothing() {
    let stop = Arc::new(AtomicBool::new(false));
    let limits = Limits { queue_items: 3, linger: Duration::ZERO, ..LIMITS };
    let (queue, account) = queue_that(WhenFull::Wait(stop), limits);
    let producer = Arc::clone(&queue);
    let pushing = thread::spawn(move || {
        (0..100).for_each(|_| producer.push(record(1)));
        producer.close();
    });
    while let Some(batch) = queue.next().await {
        batch.settle(Outcome::Exported);
    }
    pushing.join().expect("it pushes to the end");
    let row = account.row(Unit::LogRecords);
    assert_eq!((row.count(Outcome::Exported), row.lost()), (100, 0));
}

#[test]
fn a_producer_that_is_to_stop_waits_no_longer() {
    let stop = Arc::new(AtomicBool::new(false));
    let limits = Limits { queue_items: 3, ..LIMITS };
    let (queue, account) = queue_that(WhenFull::Wait(stop.clone()), limits);
    let pushing = thread::spawn(move || (0..10).for_each(|_| queue.push(record(1))));
    stop.store(true, Ordering::Relaxed);
    pushing.join().expect("it pushes to the end");
    assert_eq!(lost(&account, Cause::Shutdown), 7);
}
