//! The wiring: a [`Config`] in, a running agent out. The only module that names every stage.
//!
//! [`run`] watches the host, [`replay`] reads files. Both get the same outputs from here and work
//! through the same `stages`; they differ in where events come from, and in what time it is.

mod live;
mod offline;
mod outlet;
mod stages;

use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Config};
use crate::deliver::WhenFull;
use crate::deliver::endpoint::Endpoints;
use crate::host::Host;
use crate::output::Output;
use crate::policy::Policy;
use crate::stats::Account;
use crate::telemetry::Telemetry;

use outlet::Gate;

/// The exit status of a process that a second SIGINT ends.
const INTERRUPTED: i32 = 130;

/// Runs until a signal or the configured duration, and gives the closed account.
///
/// # Errors
/// If the configuration, the host or the kernel does not allow it: what is wrong, and the way out.
pub fn run(config: &Config) -> Result<Arc<Account>> {
    let surroundings = Surroundings::new(config)?;
    let output = surroundings.output(config, &Host::read(), WhenFull::Lose)?;
    let stop = surroundings.stop_flag(config.duration)?;
    live::watch(config, output, &stop, &surroundings)?;
    Ok(surroundings.close())
}

/// Reads capture files, each to its end, and gives the closed account; and whether all files could
/// be read.
///
/// # Errors
/// If the configuration does not allow it: what is wrong, and the way out.
pub fn replay(config: &Config, files: &[PathBuf]) -> Result<(Arc<Account>, bool)> {
    let surroundings = Surroundings::new(config)?;
    let stop = surroundings.stop_flag(None)?;
    let when_full = WhenFull::Wait(Arc::clone(&stop));
    // This host has no part in the traffic.
    let output = surroundings.output(config, &Host::default(), when_full)?;
    let all_read = offline::replay(config, files, output, &stop, &surroundings)?;
    Ok((surroundings.close(), all_read))
}

/// What every way to run has around it.
struct Surroundings {
    account: Arc<Account>,
    runtime: Runtime,
    form: config::Output,
    /// Where to, if the output is OTLP.
    endpoints: Option<Endpoints>,
    telemetry: Telemetry,
}

impl Surroundings {
    fn new(config: &Config) -> Result<Self> {
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
        Ok(Self { account, runtime, form, endpoints, telemetry })
    }

    fn output(&self, config: &Config, host: &Host, when_full: WhenFull) -> Result<Output> {
        let (form, endpoints) = (self.form, self.endpoints.as_ref());
        Output::start(config, form, host, endpoints, when_full, &self.account, &self.runtime)
    }

    fn gate(&self, config: &Config, output: Output) -> Result<Gate> {
        let policy = Policy::from_config(&config.policy)?;
        Ok(Gate::new(policy, output, Arc::clone(&self.account)))
    }

    /// A flag that SIGINT, SIGTERM or the end of `duration` sets; a second signal ends the process.
    fn stop_flag(&self, duration: Option<Duration>) -> Result<Arc<AtomicBool>> {
        let _inside = self.runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        self.runtime.spawn(async move {
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

    /// Sends headertap's own last words, and gives the account.
    fn close(self) -> Arc<Account> {
        self.runtime.block_on(self.telemetry.shutdown());
        self.account
    }
}
