//! One signal's way to the collector: batches from its queue in, settled batches out.
//!
//! Owns how many requests are under way, the retry loop and what is said about failures. A batch
//! leaves only settled; one whose task is cancelled settles itself (see `batch.rs`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::batch::Batch;
use super::queue::Queue;
use super::retry::{Backoff, Verdict};
use super::transport::{Answer, Transport};
use crate::export::{Signal, request};
use crate::stats::{Cause, Outcome};

/// Requests of one signal that may wait for an answer at the same time.
const IN_FLIGHT: usize = 4;
/// A failure that goes on is reported this often.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// What the delivery is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Records come in.
    Running,
    /// No more records come; what is left is sent without delay.
    Draining,
    /// What is left is lost.
    Stopped,
}

/// The sender of one signal.
#[derive(Debug)]
pub(super) struct Lane {
    signal: Signal,
    queue: Arc<Queue>,
    transport: Transport,
    phase: watch::Receiver<Phase>,
    report: Report,
}

impl Lane {
    pub(super) fn new(
        signal: Signal,
        queue: Arc<Queue>,
        transport: Transport,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        Self { signal, queue, transport, phase, report: Report::default() }
    }

    /// Sends until the queue is closed and empty, or the phase is [`Phase::Stopped`]. Everything
    /// that came out of the queue is settled when this returns.
    pub(super) async fn run(self) {
        let lane = Arc::new(self);
        let mut phase = lane.phase.clone();
        let mut tasks = JoinSet::new();
        tokio::select! {
            () = lane.pump(&mut tasks) => {}
            _ = phase.wait_for(|phase| *phase == Phase::Stopped) => {}
        }
        tasks.shutdown().await;
        lane.queue.close();
        while let Some(batch) = lane.queue.next().await {
            batch.settle(Outcome::Lost(Cause::Shutdown));
        }
    }

    async fn pump(self: &Arc<Self>, tasks: &mut JoinSet<()>) {
        while let Some(batch) = self.queue.next().await {
            tasks.spawn(self.clone().deliver(batch));
            while tasks.len() >= IN_FLIGHT {
                tasks.join_next().await;
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Sends a batch until it is settled, in halves if it is too large.
    async fn deliver(self: Arc<Self>, batch: Batch) {
        let Some(halves) = self.offer(batch).await else { return };
        for half in halves {
            self.offer(half).await;
        }
    }

    /// Sends a batch until it is settled, or gives back its halves.
    async fn offer(&self, batch: Batch) -> Option<[Batch; 2]> {
        let mut backoff = Backoff::new();
        loop {
            if batch.is_expired(Instant::now()) {
                batch.settle(Outcome::Lost(Cause::Expired));
                return None;
            }
            // Made anew for every attempt, so that nothing is held twice while it waits.
            let body = request::assemble(self.signal, batch.records());
            let answer = self.transport.send(body).await;
            self.report.note(self.signal, &answer);
            match answer.verdict {
                Verdict::Accepted { rejected } => batch.settle_accepted(rejected),
                Verdict::Retryable { after } => {
                    self.pause(&mut backoff, after).await;
                    continue;
                }
                Verdict::TooLarge => match batch.split() {
                    Ok(halves) => return Some(halves),
                    Err(batch) => batch.settle(Outcome::Lost(Cause::NonRetryable)),
                },
                Verdict::Refused => batch.settle(Outcome::Lost(Cause::NonRetryable)),
            }
            return None;
        }
    }

    /// Waits before the next attempt. The start of the drain ends a wait, and while it lasts waits
    /// stay short, for the batch may have no other chance; what the collector asked for is kept to
    /// all the same.
    async fn pause(&self, backoff: &mut Backoff, after: Option<Duration>) {
        let mut phase = self.phase.clone();
        let draining = *phase.borrow() != Phase::Running;
        if draining {
            *backoff = Backoff::new();
        }
        let wait = backoff.next(after, fastrand::f64());
        if draining || after.is_some() {
            return sleep(wait).await;
        }
        tokio::select! {
            () = sleep(wait) => {}
            _ = phase.wait_for(|phase| *phase != Phase::Running) => {}
        }
    }
}

/// Says when a signal's delivery begins to fail, now and then while it fails, and when it works
/// again.
#[derive(Debug, Default)]
struct Report {
    /// When a failure was last reported; `None` while all is well.
    last: Mutex<Option<Instant>>,
}

impl Report {
    fn note(&self, signal: Signal, answer: &Answer) {
        let well = matches!(answer.verdict, Verdict::Accepted { rejected: 0 });
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match (*last, well) {
            (None, true) => {}
            (Some(_), true) => {
                *last = None;
                info!(?signal, "the collector takes records again");
            }
            (Some(at), false) if at.elapsed() < REPORT_INTERVAL => {}
            (_, false) => {
                *last = Some(Instant::now());
                warn!(?signal, verdict = ?answer.verdict, detail = answer.detail, "not delivered");
            }
        }
    }
}
