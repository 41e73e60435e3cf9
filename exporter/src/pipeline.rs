//! The wiring: a [`Config`] in, a running agent out. The only file that names every stage.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use globset::{Glob, GlobSet, GlobSetBuilder};
use sd_notify::NotifyState;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::capture::{self, Capture, Counters, Sink, Verdicts};
use crate::config::{self, Config, Mode};
use crate::correlate::{Correlator, Found};
use crate::deliver::endpoint::Endpoints;
use crate::event::{self, Event};
use crate::flow::Timestamp;
use crate::output::Output;
use crate::policy::Policy;
use crate::process::Processes;
use crate::stats::{Account, Cause, Outcome, Unit};
use crate::telemetry::Telemetry;

/// How long the end may take to send what is left.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// How often clocks are compared, kernel counters read and silent flows forgotten.
const TICK: Duration = Duration::from_secs(1);
/// The exit status of a process that a second SIGINT ends.
const INTERRUPTED: i32 = 130;

/// Runs until a signal or the configured duration, and gives the closed account.
///
/// # Errors
/// If the configuration, the host or the kernel does not allow it: what is wrong, and the way out.
pub fn run(config: &Config) -> Result<Arc<Account>> {
    let account = Arc::new(Account::default());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("the runtime")?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let form = config.output(|name| variable(name).is_some())?;
    let endpoints = match form {
        config::Output::Otlp => Some(Endpoints::from_variables(variable)?),
        config::Output::Text | config::Output::OtlpJson => None,
    };
    let filter = variable("HEADERTAP_LOG");
    let telemetry =
        Telemetry::start(filter.as_deref(), endpoints.as_ref(), &account, runtime.handle())?;
    let output = Output::start(config, form, endpoints.as_ref(), &account, &runtime)?;
    watch(config, form, output, &account, &runtime)?;
    runtime.block_on(telemetry.shutdown());
    Ok(account)
}

fn watch(
    config: &Config,
    form: config::Output,
    output: Output,
    account: &Arc<Account>,
    runtime: &Runtime,
) -> Result<()> {
    let policy = Policy::from_config(&config.policy)?;
    let stop = stop_flag(config.duration, runtime)?;
    let mut capture = Capture::attach(capture::Options {
        ring_bytes: config.ring_bytes,
        attach: config.attach,
        interfaces: interfaces(&config.interfaces)?,
        hash_seed: u64::from_ne_bytes(seed()),
    })?;
    let mut correlator = Correlator::new(seed(), process::id(), Arc::clone(account));
    if config.interfaces != Config::default().interfaces {
        correlator = correlator.only_watched();
    }
    let mut pipeline = Pipeline {
        verdicts: capture.verdicts()?,
        correlator,
        processes: Processes::new("/proc"),
        policy,
        output,
        account: Arc::clone(account),
        boot_offset_ns: capture::boot_offset_ns(),
        observed: now(),
        ticked: Instant::now(),
        counters: Counters::default(),
        found: Vec::new(),
    };
    announce(&capture.interfaces(), config.policy.mode, form);
    capture.run(&mut pipeline, &stop)?;
    sd_notify::notify(&[NotifyState::Stopping]).unwrap_or_default();
    let counters = capture.counters()?;
    pipeline.finish(counters, runtime);
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

/// A flag that SIGINT, SIGTERM or the end of `duration` sets; a second signal ends the process.
fn stop_flag(duration: Option<Duration>, runtime: &Runtime) -> Result<Arc<AtomicBool>> {
    let _inside = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    runtime.spawn(async move {
        let over = async {
            match duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = over => {}
        }
        flag.store(true, Ordering::Relaxed);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        process::exit(INTERRUPTED);
    });
    Ok(stop)
}

/// Everything between the ring and the output.
struct Pipeline {
    verdicts: Verdicts,
    correlator: Correlator,
    processes: Processes,
    policy: Policy,
    output: Output,
    account: Arc<Account>,
    boot_offset_ns: u64,
    /// When the current batch of records was read.
    observed: Timestamp,
    ticked: Instant,
    counters: Counters,
    found: Vec<Found>,
}

impl Sink for Pipeline {
    fn woken(&mut self) {
        self.observed = now();
    }

    fn record(&mut self, record: &[u8]) {
        match event::decode(record, self.boot_offset_ns) {
            Ok(Event::Segment(segment)) => {
                self.account.settle(Unit::Segments, Outcome::Exported, 1);
                self.correlator.segment(&segment, self.observed, &mut self.found);
            }
            Ok(Event::Datagram(_)) => {
                self.account.settle(Unit::Datagrams, Outcome::Exported, 1);
            }
            Ok(Event::Socket(socket)) => {
                let process = self.processes.get(socket.owner.pid, &socket.owner.comm);
                self.correlator.socket(&socket, process, self.observed, &mut self.found);
            }
            Err(error) => {
                tracing::error!(%error, "a record of the kernel side was not understood");
                self.account.settle(Unit::Segments, Outcome::Lost(Cause::Undecodable), 1);
            }
        }
        self.give();
    }

    fn drained(&mut self, counters: impl FnOnce() -> Result<Counters>) {
        self.output.flush();
        if self.ticked.elapsed() < TICK {
            return;
        }
        self.ticked = Instant::now();
        self.boot_offset_ns = capture::boot_offset_ns();
        match counters() {
            Ok(counters) => self.count(counters),
            Err(error) => tracing::warn!("the kernel side's counters: {error:#}"),
        }
        self.correlator.expire(now(), &mut self.found);
        self.give();
    }
}

impl Pipeline {
    fn give(&mut self) {
        for found in self.found.drain(..) {
            match found {
                Found::Verdict(cell, verdict) => self.verdicts.set(cell, verdict),
                Found::Connection(connection) => self.output.connection(&connection),
                Found::Exchange(exchange) => match self.policy.apply(*exchange) {
                    Some(exchange) => self.output.exchange(&exchange),
                    None => self.account.settle(Unit::Http, Outcome::Filtered, 1),
                },
            }
        }
    }

    /// Books what the kernel side has counted since the last time.
    fn count(&mut self, counters: Counters) {
        let old = std::mem::replace(&mut self.counters, counters);
        let (account, new) = (&self.account, counters);
        let full = Outcome::Lost(Cause::RingbufFull);
        account.seen(Unit::Segments, new.segments_seen - old.segments_seen);
        let segments_full = new.segments_ringbuf_full - old.segments_ringbuf_full;
        account.settle(Unit::Segments, full, segments_full);
        let not_loaded = new.segments_not_loaded - old.segments_not_loaded;
        account.settle(Unit::Segments, Outcome::Lost(Cause::NotLoaded), not_loaded);
        let sockets_full = new.sockets_ringbuf_full - old.sockets_ringbuf_full;
        account.seen(Unit::Connections, sockets_full);
        account.settle(Unit::Connections, full, sockets_full);
    }

    fn finish(mut self, counters: Counters, runtime: &Runtime) {
        self.count(counters);
        self.correlator.finish(now(), &mut self.found);
        self.give();
        self.output.drain(DRAIN_LIMIT, runtime);
    }
}
