//! Everything behind a decoded event, for whatever brings events: correlate, policy, output.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::correlate::{Correlator, Found};
use crate::event::{Datagram, Segment};
use crate::flow::{Cell, Timestamp, Verdict};
use crate::process::Process;
use crate::stats::{Account, Outcome, Unit};

use super::outlet::Outlet;

/// The stages that are the same for the kernel's events and a file's.
pub(super) struct Stages {
    correlator: Correlator,
    outlet: Outlet,
    account: Arc<Account>,
    /// Kept for its room alone.
    found: Vec<Found>,
}

impl Stages {
    pub(super) fn new(correlator: Correlator, outlet: Outlet, account: Arc<Account>) -> Self {
        Self { correlator, outlet, account, found: Vec::new() }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn segment(
        &mut self,
        segment: &Segment<'_>,
        observed: Timestamp,
        set: impl FnMut(Cell, Verdict),
    ) {
        self.account.settle(Unit::Segments, Outcome::Exported, 1);
        self.work(|correlator, found| correlator.segment(segment, observed, found), set);
    }

    /// `process` owns the socket that sent it.
    pub(super) fn datagram(
        &mut self,
        datagram: &Datagram<'_>,
        process: Option<Arc<Process>>,
        observed: Timestamp,
    ) {
        self.account.settle(Unit::Datagrams, Outcome::Exported, 1);
        self.work(
            |correlator, found| correlator.datagram(datagram, process, observed, found),
            |_, _| {},
        );
    }

    /// Lets the correlator work, and everything it finds go its way; `set` takes verdicts for the
    /// kernel side, where there is one.
    pub(super) fn work(
        &mut self,
        work: impl FnOnce(&mut Correlator, &mut Vec<Found>),
        mut set: impl FnMut(Cell, Verdict),
    ) {
        work(&mut self.correlator, &mut self.found);
        for found in self.found.drain(..) {
            match found {
                Found::Verdict(cell, verdict) => set(cell, verdict),
                found => self.outlet.give(found),
            }
        }
    }

    /// Nothing more comes for the moment.
    pub(super) fn flush(&mut self) {
        self.outlet.flush();
    }

    /// Nothing more comes: gives what is not over, and sends what is left for at most `limit`.
    pub(super) fn finish(mut self, now: Timestamp, limit: Duration, runtime: &Runtime) {
        // What sends ends here as well: it needs to be told nothing more.
        self.work(|correlator, found| correlator.finish(now, found), |_, _| {});
        self.outlet.drain(limit, runtime);
    }
}
