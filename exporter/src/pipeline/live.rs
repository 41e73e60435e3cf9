//! The kernel's records through the stages: the clock is the wall's, verdicts go back.

use std::process;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use globset::{Glob, GlobSet, GlobSetBuilder};
use sd_notify::NotifyState;

use crate::capture::{self, Capture, Counters, Sink, Verdicts};
use crate::config::{self, Config, Mode};
use crate::correlate::Correlator;
use crate::event::{self, Event};
use crate::flow::Timestamp;
use crate::output::Output;
use crate::process::Processes;
use crate::stats::{Cause, Outcome, Unit};

use super::Surroundings;
use super::outlet::Outlet;
use super::stages::Stages;

/// How long the end may take to send what is left.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// How often clocks are compared, kernel counters read and silent flows forgotten.
const TICK: Duration = Duration::from_secs(1);

/// Watches the host until `stop` is set.
pub(super) fn watch(
    config: &Config,
    output: Output,
    stop: &AtomicBool,
    surroundings: &Surroundings,
) -> Result<()> {
    let account = surroundings.account.clone();
    let mut correlator = Correlator::new(seed(), process::id(), account);
    if config.interfaces != Config::default().interfaces {
        correlator = correlator.only_watched();
    }
    let outlet = Outlet::Here(Box::new(surroundings.gate(config, output)?));
    let stages = Stages::new(correlator, outlet, surroundings.account.clone());
    let mut capture = Capture::attach(capture::Options {
        ring_bytes: config.ring_bytes,
        attach: config.attach,
        interfaces: interfaces(&config.interfaces)?,
        hash_seed: u64::from_ne_bytes(seed()),
    })?;
    let mut live = Live {
        verdicts: capture.verdicts()?,
        processes: Processes::new("/proc"),
        stages,
        boot_offset_ns: capture::boot_offset_ns(),
        observed: now(),
        ticked: Instant::now(),
        counters: Counters::default(),
    };
    announce(&capture.interfaces(), config.policy.mode, surroundings.form);
    capture.run(&mut live, stop)?;
    sd_notify::notify(&[NotifyState::Stopping]).unwrap_or_default();
    live.count(capture.counters()?);
    live.stages.finish(now(), DRAIN_LIMIT, &surroundings.runtime);
    Ok(())
}

fn announce(interfaces: &[&str], mode: Mode, form: config::Output) {
    eprintln!(
        "headertap: ready on {} (policy {}, output {})",
        interfaces.join(", "),
        match mode {
            Mode::Safe => "safe",
            Mode::All => "all",
        },
        match form {
            config::Output::Otlp => "otlp",
            config::Output::Text => "text",
            config::Output::OtlpJson => "otlp-json",
        }
    );
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
        tracing::warn!(%error, "systemd was not told that headertap is ready");
    }
}

fn interfaces(globs: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(Glob::new(glob)?);
    }
    Ok(set.build()?)
}

/// Bytes that nobody else can guess.
fn seed<const N: usize>() -> [u8; N] {
    std::array::from_fn(|_| fastrand::u8(..))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Everything between the ring and the output.
struct Live {
    verdicts: Verdicts,
    processes: Processes,
    stages: Stages,
    boot_offset_ns: u64,
    /// When the current batch of records was read.
    observed: Timestamp,
    ticked: Instant,
    counters: Counters,
}

impl Sink for Live {
    fn woken(&mut self) {
        self.observed = now();
    }

    fn record(&mut self, record: &[u8]) {
        let observed = self.observed;
        let set = |cell, verdict| self.verdicts.set(cell, verdict);
        match event::decode(record, self.boot_offset_ns) {
            Ok(Event::Segment(segment)) => self.stages.segment(&segment, observed, set),
            Ok(Event::Datagram(datagram)) => {
                let owner = datagram.owner.as_ref();
                let process = owner.map(|owner| self.processes.get(owner.pid, &owner.comm));
                self.stages.datagram(&datagram, process, observed);
            }
            Ok(Event::Socket(socket)) => {
                let process = self.processes.get(socket.owner.pid, &socket.owner.comm);
                self.stages.work(|it, found| it.socket(&socket, process, observed, found), set);
            }
            Err(error) => {
                tracing::error!(%error, "a record of the kernel side was not understood");
                let undecodable = Outcome::Lost(Cause::Undecodable);
                self.stages.account().settle(Unit::Segments, undecodable, 1);
            }
        }
    }

    fn drained(&mut self, counters: impl FnOnce() -> Result<Counters>) {
        self.stages.flush();
        if self.ticked.elapsed() < TICK {
            return;
        }
        self.ticked = Instant::now();
        self.boot_offset_ns = capture::boot_offset_ns();
        match counters() {
            Ok(counters) => self.count(counters),
            Err(error) => tracing::warn!("the kernel side's counters: {error:#}"),
        }
        let set = |cell, verdict| self.verdicts.set(cell, verdict);
        self.stages.work(|correlator, found| correlator.expire(now(), found), set);
    }
}

impl Live {
    /// Books what the kernel side has counted since the last time.
    fn count(&mut self, counters: Counters) {
        let old = std::mem::replace(&mut self.counters, counters);
        let (account, new) = (self.stages.account(), counters);
        let full = Outcome::Lost(Cause::RingbufFull);
        account.seen(Unit::Segments, new.segments_seen - old.segments_seen);
        let segments_full = new.segments_ringbuf_full - old.segments_ringbuf_full;
        account.settle(Unit::Segments, full, segments_full);
        let not_loaded = new.segments_not_loaded - old.segments_not_loaded;
        account.settle(Unit::Segments, Outcome::Lost(Cause::NotLoaded), not_loaded);
        account.seen(Unit::Datagrams, new.datagrams_seen - old.datagrams_seen);
        let datagrams_full = new.datagrams_ringbuf_full - old.datagrams_ringbuf_full;
        account.settle(Unit::Datagrams, full, datagrams_full);
        let not_loaded = new.datagrams_not_loaded - old.datagrams_not_loaded;
        account.settle(Unit::Datagrams, Outcome::Lost(Cause::NotLoaded), not_loaded);
        let sockets_full = new.sockets_ringbuf_full - old.sockets_ringbuf_full;
        account.seen(Unit::Connections, sockets_full);
        account.settle(Unit::Connections, full, sockets_full);
    }
}
