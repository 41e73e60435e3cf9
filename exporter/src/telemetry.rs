//! What headertap says about itself: its logs to stderr and, where a collector is the output, its
//! logs and the loss account as metrics by OTLP.
//!
//! Unlike what it observes, this goes through the OpenTelemetry SDK. Only headertap's own events
//! are sent: one from the libraries that send (tonic, h2, hyper, opentelemetry) would make the
//! next. `HEADERTAP_LOG` chooses what is logged, in the syntax of `tracing_subscriber`'s filter.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter, MeterProvider};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::{fmt, registry};

use crate::deliver::endpoint::Endpoints;
use crate::deliver::{self, own};
use crate::host::Host;
use crate::stats::{Account, Arrival, Cause, Outcome, Row};

/// Logged unless `HEADERTAP_LOG` says otherwise.
const DEFAULT_FILTER: &str = "warn,headertap=info";
/// A collector that is away must not keep headertap from ending.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

/// Why headertap's own telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is not understood.
    #[error("HEADERTAP_LOG={filter}: {source}")]
    Filter {
        /// The filter.
        filter: String,
        /// Why.
        source: tracing_subscriber::filter::ParseError,
    },
    /// No exporter can be made for the endpoint.
    #[error(transparent)]
    Exporter(#[from] deliver::Error),
    /// Another subscriber is installed.
    #[error("the process has a tracing subscriber already")]
    Installed,
}

/// headertap's own telemetry while it runs.
#[derive(Debug)]
pub struct Telemetry {
    providers: Option<(SdkLoggerProvider, SdkMeterProvider)>,
}

impl Telemetry {
    /// Installs the process's tracing subscriber: stderr, and `endpoints` if there are any.
    /// `filter` is the value of `HEADERTAP_LOG`. Metrics are read from `account` when they are
    /// due.
    ///
    /// # Errors
    /// [`Error`] if the filter is not understood, an exporter cannot be made, or the process has a
    /// subscriber already.
    pub fn start(
        filter: Option<&str>,
        endpoints: Option<&Endpoints>,
        account: &Arc<Account>,
        runtime: &Handle,
    ) -> Result<Self, Error> {
        let (telemetry, subscriber) = Self::build(filter, endpoints, account, runtime)?;
        tracing::subscriber::set_global_default(subscriber).map_err(|_| Error::Installed)?;
        Ok(telemetry)
    }

    fn build(
        filter: Option<&str>,
        endpoints: Option<&Endpoints>,
        account: &Arc<Account>,
        runtime: &Handle,
    ) -> Result<(Self, impl Subscriber + Send + Sync + use<>), Error> {
        let filter = filter.filter(|text| !text.is_empty()).unwrap_or(DEFAULT_FILTER);
        let wanted = EnvFilter::try_new(filter)
            .map_err(|source| Error::Filter { filter: filter.to_owned(), source })?;
        let _inside = runtime.enter();
        let providers = endpoints.map(|endpoints| providers(endpoints, account)).transpose()?;
        let bridge = providers.as_ref().map(|(logs, _)| {
            let own = Targets::new().with_target("headertap", LevelFilter::TRACE);
            OpenTelemetryTracingBridge::new(logs).with_filter(own)
        });
        let stderr = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
        let subscriber = registry().with(wanted).with(stderr).with(bridge);
        Ok((Self { providers }, subscriber))
    }

    /// Sends what is left, for at most two seconds.
    pub async fn shutdown(self) {
        let Some((logs, metrics)) = self.providers else { return };
        let (done, ended) = tokio::sync::oneshot::channel();
        // A thread of its own, not the runtime's: the SDK blocks, and the runtime must turn for
        // the exporters to send, and must not wait for this thread when it ends.
        std::thread::spawn(move || {
            for result in [metrics.shutdown(), logs.shutdown()] {
                if let Err(error) = result {
                    tracing::debug!(%error, "own telemetry was not sent");
                }
            }
            done.send(()).unwrap_or_default();
        });
        if tokio::time::timeout(SHUTDOWN_LIMIT, ended).await.is_err() {
            tracing::debug!("own telemetry was not sent in time");
        }
    }
}

fn providers(
    endpoints: &Endpoints,
    account: &Arc<Account>,
) -> Result<(SdkLoggerProvider, SdkMeterProvider), Error> {
    let resource = resource();
    let logs = SdkLoggerProvider::builder()
        .with_batch_exporter(own::log_exporter(&endpoints.logs)?)
        .with_resource(resource.clone())
        .build();
    let metrics = SdkMeterProvider::builder()
        .with_periodic_exporter(own::metric_exporter(&endpoints.metrics)?)
        .with_resource(resource)
        .build();
    observe(&metrics.meter("headertap"), account);
    Ok((logs, metrics))
}

/// The agent as a service of its own.
fn resource() -> Resource {
    let Host { name, id, arch, os_type } = Host::read();
    let host = [("host.name", name), ("host.id", id), ("host.arch", arch), ("os.type", os_type)];
    let known = host.into_iter().filter(|(_, value)| !value.is_empty());
    Resource::builder()
        .with_service_name("headertap")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes(known.map(|(name, value)| KeyValue::new(name, value)))
        .build()
}

/// The loss account as metrics: its identity holds at every collection but for what is under way.
fn observe(meter: &Meter, account: &Arc<Account>) {
    let counter = |name, description, count: fn(&str, &Row, &dyn AsyncInstrument<u64>)| {
        let account = account.clone();
        meter
            .u64_observable_counter(name)
            .with_unit("{item}")
            .with_description(description)
            .with_callback(move |instrument| {
                account.rows().into_iter().for_each(|(unit, row)| count(unit, row, instrument));
            })
            .build();
    };
    counter("headertap.account.seen", "Items that were seen", |unit, row, to| {
        to.observe(row.seen(), &[named(unit)]);
    });
    counter("headertap.account.exported", "Items that left for good", |unit, row, to| {
        to.observe(row.count(Outcome::Exported), &[named(unit)]);
    });
    counter("headertap.account.filtered", "Items that policy kept back", |unit, row, to| {
        to.observe(row.count(Outcome::Filtered), &[named(unit)]);
    });
    counter("headertap.account.sampled", "Items that sampling kept back", |unit, row, to| {
        to.observe(row.count(Outcome::Sampled), &[named(unit)]);
    });
    counter("headertap.account.lost", "Items that were lost, by cause", |unit, row, to| {
        let counts = Cause::ALL.map(|cause| (cause, row.count(Outcome::Lost(cause))));
        for (cause, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            to.observe(count, &[named(unit), KeyValue::new("error.type", cause.as_str())]);
        }
    });
    let account = account.clone();
    meter
        .u64_observable_counter("headertap.segments.unusual")
        .with_unit("{item}")
        .with_description("Segments that came out of order, again, or again with other bytes")
        .with_callback(move |instrument| {
            for arrival in Arrival::UNUSUAL {
                let arrived = KeyValue::new("headertap.segment.arrival", arrival.as_str());
                instrument.observe(account.arrivals(arrival), &[arrived]);
            }
        })
        .build();
}

fn named(unit: &str) -> KeyValue {
    KeyValue::new("headertap.unit", unit.to_owned())
}

#[cfg(test)]
mod tests;
