//! OTLP JSON lines: encoded records in, lines out, on a thread of its own.
//!
//! JSON is for people's tools and costs a hundred times what OTLP does: the thread that reads the
//! ring must not wait for it. What it cannot keep up with is counted as lost to a full queue, unless
//! whoever brings it may wait.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SendError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::deliver::WhenFull;
use crate::deliver::file::Lines;
use crate::export::{Record, Signal, json, request};
use crate::stats::{Account, Cause, Outcome, Tally};

/// Records a line holds at most.
const LINE_RECORDS: usize = 512;
/// Lines that may wait to be made; some 2 MiB each at most.
const QUEUE_LINES: usize = 32;

/// A running output of JSON lines.
#[derive(Debug)]
pub struct JsonLines {
    /// Log records that wait for a line, and spans that do.
    waiting: [Vec<Record>; 2],
    batches: SyncSender<Vec<Record>>,
    writer: JoinHandle<Lines>,
    when_full: WhenFull,
    account: Arc<Account>,
}

impl JsonLines {
    /// Starts the thread that makes lines for `lines`.
    #[must_use]
    pub fn start(lines: Lines, when_full: WhenFull, account: Arc<Account>) -> Self {
        let (batches, queue) = sync_channel(QUEUE_LINES);
        let counted = Arc::clone(&account);
        let writer = thread::spawn(move || write(&queue, lines, &counted));
        Self { waiting: [Vec::new(), Vec::new()], batches, writer, when_full, account }
    }

    /// Takes a record.
    pub fn push(&mut self, record: Record) {
        let [logs, spans] = &mut self.waiting;
        let waiting = match record.signal {
            Signal::Logs => logs,
            Signal::Traces => spans,
        };
        waiting.push(record);
        if waiting.len() >= LINE_RECORDS {
            self.flush();
        }
    }

    /// Makes lines of what waits.
    pub fn flush(&mut self) {
        for waiting in self.waiting.iter_mut().filter(|records| !records.is_empty()) {
            let batch = std::mem::take(waiting);
            // A full queue moves on even when nobody is to wait any more: its lines are lost then.
            let refused = match self.when_full {
                WhenFull::Wait(_) => self.batches.send(batch).map_err(|SendError(batch)| batch),
                WhenFull::Lose => self.batches.try_send(batch).map_err(|error| match error {
                    TrySendError::Full(batch) | TrySendError::Disconnected(batch) => batch,
                }),
            };
            if let Err(batch) = refused {
                self.account.settle_all(total(&batch), Outcome::Lost(Cause::QueueFull));
            }
        }
    }

    /// Writes what is left; the file may take as long as `deadline`.
    pub fn drain(mut self, deadline: Duration) {
        self.flush();
        drop(self.batches);
        match self.writer.join() {
            Ok(lines) => lines.drain(deadline),
            Err(_) => tracing::error!("the thread that writes JSON ended early"),
        }
    }
}

fn write(queue: &Receiver<Vec<Record>>, lines: Lines, account: &Account) -> Lines {
    for batch in queue {
        let Some(signal) = batch.first().map(|record| record.signal) else { continue };
        match json::line(signal, &request::assemble(signal, &batch)) {
            Ok(line) => lines.push(line.as_bytes(), total(&batch)),
            Err(error) => {
                tracing::error!(%error, "records could not be written as JSON");
                account.settle_all(total(&batch), Outcome::Lost(Cause::WriteFailed));
            }
        }
    }
    lines
}

fn total(batch: &[Record]) -> Tally {
    let mut tally = Tally::default();
    batch.iter().for_each(|record| tally.add(record.tally));
    tally
}
