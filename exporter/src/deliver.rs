//! Encoded records in, the collector's acknowledgement out: queue, batch, send, retry, account.
//!
//! One bounded queue and one lane a signal; the two do not wait for each other. Every record that
//! is pushed is settled in the loss account exactly once: exported when the collector acknowledged
//! it, else lost by its cause. What leaves for a file or a terminal goes by [`mod@file`] instead.
//!
//! An acknowledgement that did not arrive is no acknowledgement: a record may then be delivered
//! twice, byte for byte the same, or be counted lost although it arrived.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::export::{Record, Signal};
use crate::stats::{Account, Cause};

mod batch;
pub mod endpoint;
pub mod file;
mod grpc;
mod http;
mod lane;
pub(crate) mod own;
mod queue;
mod retry;
mod transport;

pub use queue::Limits;
pub use transport::Error;

use endpoint::Endpoints;
use lane::{Lane, Phase};
use queue::Queue;
use transport::Transport;

/// Where to deliver, and how much may wait.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where each signal goes.
    pub endpoints: Endpoints,
    /// The bounds of each signal's queue.
    pub limits: Limits,
    /// What becomes of a record beyond them.
    pub when_full: WhenFull,
}

/// What becomes of what comes to a full queue.
#[derive(Debug, Clone)]
pub enum WhenFull {
    /// It is counted lost: who reads the ring must not wait.
    Lose,
    /// Whoever brings it waits for room, but no longer once this is set.
    Wait(Arc<AtomicBool>),
}

impl WhenFull {
    /// How often a waiting producer looks whether it is still to wait.
    const LOOK_EVERY: Duration = Duration::from_millis(100);

    pub(crate) fn waits(&self) -> bool {
        matches!(self, Self::Wait(stop) if !stop.load(Ordering::Relaxed))
    }

    /// Why something is lost that did not wait.
    fn cause(&self) -> Cause {
        match self {
            Self::Lose => Cause::QueueFull,
            Self::Wait(_) => Cause::Shutdown,
        }
    }
}

/// The delivery of both signals.
#[derive(Debug)]
pub struct Delivery {
    logs: Arc<Queue>,
    traces: Arc<Queue>,
    phase: watch::Sender<Phase>,
    lanes: [JoinHandle<()>; 2],
}

impl Delivery {
    /// Starts a lane a signal on `runtime`. Connects at the first batch, so a collector may start
    /// later than headertap.
    ///
    /// # Errors
    /// [`Error`] if a certificate cannot be read or TLS cannot be set up.
    pub fn start(
        settings: &Settings,
        account: &Arc<Account>,
        runtime: &Handle,
    ) -> Result<Self, Error> {
        let _inside = runtime.enter();
        let queue = || {
            let when_full = settings.when_full.clone();
            Arc::new(Queue::new(settings.limits, when_full, account.clone()))
        };
        let (logs, traces) = (queue(), queue());
        let (phase, watching) = watch::channel(Phase::Running);
        let endpoints = &settings.endpoints;
        let to_logs = Transport::new(&endpoints.logs, Signal::Logs)?;
        let to_traces = Transport::new(&endpoints.traces, Signal::Traces)?;
        let lanes = [
            Lane::new(Signal::Logs, logs.clone(), to_logs, watching.clone()),
            Lane::new(Signal::Traces, traces.clone(), to_traces, watching),
        ]
        .map(|lane| runtime.spawn(lane.run()));
        Ok(Self { logs, traces, phase, lanes })
    }

    /// Queues a record. With [`WhenFull::Lose`] it does not wait for the network, so it may be
    /// called from the thread that reads the ring buffer; else it may not be called by a task.
    pub fn push(&self, record: Record) {
        match record.signal {
            Signal::Logs => self.logs.push(record),
            Signal::Traces => self.traces.push(record),
        }
    }

    /// Sends what is left, for at most `deadline`; the rest is counted lost to the shutdown. The
    /// account holds every record that was pushed when this returns.
    pub async fn drain(mut self, deadline: Duration) {
        self.phase.send_replace(Phase::Draining);
        self.logs.close();
        self.traces.close();
        if tokio::time::timeout(deadline, join(&mut self.lanes)).await.is_err() {
            self.phase.send_replace(Phase::Stopped);
            join(&mut self.lanes).await;
        }
    }
}

async fn join(lanes: &mut [JoinHandle<()>; 2]) {
    for lane in lanes {
        if !lane.is_finished()
            && let Err(error) = lane.await
        {
            tracing::error!(%error, "a lane ended early");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
