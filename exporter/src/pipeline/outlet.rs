//! What was found goes out: policy, then output; for the ring's reader at once, for files on a
//! thread of their own, as there is always more to read.

use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::correlate::Found;
use crate::export::Item;
use crate::output::Output;
use crate::policy::Policy;
use crate::stats::{Account, Outcome, Unit};

/// What one thread hands the other at once.
const BATCH: usize = 256;
/// How many such may wait.
const QUEUE_BATCHES: usize = 8;

/// The last stages.
pub(super) struct Gate {
    policy: Policy,
    output: Output,
    account: Arc<Account>,
}

impl Gate {
    pub(super) fn new(policy: Policy, output: Output, account: Arc<Account>) -> Self {
        Self { policy, output, account }
    }

    fn give(&mut self, found: Found) {
        match found {
            // Whoever has a kernel side has taken it.
            Found::Verdict(..) => {}
            Found::Lookup(lookup) => match self.policy.lookup(*lookup) {
                Some(lookup) => self.output.give(Item::Lookup(&lookup)),
                None => self.account.settle(Unit::Dns, Outcome::Filtered, 1),
            },
            Found::Connection(connection) => self.output.give(Item::Connection(&connection)),
            Found::Handshake(handshake) => match self.policy.handshake(*handshake) {
                Some(handshake) => self.output.give(Item::Handshake(&handshake)),
                None => self.account.settle(Unit::Tls, Outcome::Filtered, 1),
            },
            Found::Exchange(exchange) => match self.policy.apply(*exchange) {
                Some(exchange) => self.output.give(Item::Exchange(&exchange)),
                None => self.account.settle(Unit::Http, Outcome::Filtered, 1),
            },
        }
    }

    fn give_all(mut self, queue: &Receiver<Vec<Found>>) -> Self {
        for batch in queue {
            let is_full = batch.len() >= BATCH;
            batch.into_iter().for_each(|found| self.give(found));
            if !is_full {
                // It was sent because nothing more came.
                self.output.flush();
            }
        }
        self
    }
}

/// Where the last stages work.
pub(super) enum Outlet {
    /// On this thread.
    Here(Box<Gate>),
    /// On their own, behind a queue.
    Aside(Aside),
}

/// The way to the other thread.
pub(super) struct Aside {
    waiting: Vec<Found>,
    batches: SyncSender<Vec<Found>>,
    thread: JoinHandle<Gate>,
}

impl Outlet {
    /// On a thread of its own.
    pub(super) fn aside(gate: Gate) -> Self {
        let (batches, queue) = sync_channel(QUEUE_BATCHES);
        let thread = thread::spawn(move || gate.give_all(&queue));
        Self::Aside(Aside { waiting: Vec::new(), batches, thread })
    }

    /// Takes anything but a verdict.
    pub(super) fn give(&mut self, found: Found) {
        match self {
            Self::Here(gate) => gate.give(found),
            Self::Aside(aside) => {
                aside.waiting.push(found);
                if aside.waiting.len() >= BATCH {
                    aside.send();
                }
            }
        }
    }

    /// Nothing more comes for the moment.
    pub(super) fn flush(&mut self) {
        match self {
            Self::Here(gate) => gate.output.flush(),
            Self::Aside(aside) => aside.send(),
        }
    }

    /// Sends what is left for at most `limit`.
    pub(super) fn drain(mut self, limit: Duration, runtime: &Runtime) {
        self.flush();
        let gate = match self {
            Self::Here(gate) => Some(gate),
            Self::Aside(Aside { batches, thread, .. }) => {
                drop(batches);
                thread.join().ok().map(Box::new)
            }
        };
        match gate {
            Some(gate) => gate.output.drain(limit, runtime),
            None => tracing::error!("the thread of the output ended early"),
        }
    }
}

impl Aside {
    fn send(&mut self) {
        let batch = mem::replace(&mut self.waiting, Vec::with_capacity(BATCH));
        if let Err(error) = self.batches.send(batch) {
            tracing::error!(%error, "what was found finds no way out");
        }
    }
}
