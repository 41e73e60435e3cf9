//! headertap's own telemetry against a peer, and against none.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use prost::Message;
use tokio::runtime::Handle;
use tracing::instrument::WithSubscriber;

use super::{Account, Telemetry};
use crate::deliver::endpoint::{Endpoints, Protocol};
use crate::deliver::tests::endpoint;
use crate::deliver::tests::peer::{Peer, Seen};
use crate::stats::{Cause, Outcome, Unit};

fn endpoints(address: std::net::SocketAddr, protocol: Protocol) -> Endpoints {
    let logs = endpoint(address, protocol);
    let mut metrics = logs.clone();
    metrics.url = format!("http://{address}/v1/metrics").parse().expect("a URL");
    Endpoints { traces: logs.clone(), metrics, logs }
}

/// Says one thing of its own and, as the libraries that send would, some of theirs.
async fn speak() {
    tracing::warn!("ours");
    tracing::error!(target: "tonic::transport", "theirs");
    tracing::error!(target: "h2::client", "theirs");
    tracing::error!(target: "hyper_util::client", "theirs");
    tracing::error!(target: "opentelemetry_sdk", "theirs");
    tracing::error!(target: "reqwest::connect", "theirs");
}

async fn run(address: std::net::SocketAddr, protocol: Protocol, account: &Arc<Account>) {
    let endpoints = endpoints(address, protocol);
    let built = Telemetry::build(None, Some(&endpoints), account, &Handle::current());
    let (telemetry, subscriber) = built.expect("the default filter is right");
    speak().with_subscriber(subscriber).await;
    telemetry.shutdown().await;
}

fn requests<M: Message + Default>(peer: &Peer, path: &str) -> Vec<M> {
    let signal = |seen: &Seen| seen.path.to_lowercase().contains(path);
    let seen = peer.seen().into_iter().filter(signal);
    seen.map(|seen| M::decode(seen.body.as_slice()).expect("a request")).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_own_logs_are_sent() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let peer = Peer::replying([]).await;
        run(peer.address, protocol, &Arc::default()).await;
        let logs = requests::<ExportLogsServiceRequest>(&peer, "logs");
        let scopes = logs.into_iter().flat_map(|request| request.resource_logs);
        let records = scopes.flat_map(|logs| logs.scope_logs).flat_map(|logs| logs.log_records);
        let bodies: Vec<_> = records.map(|record| text(record.body)).collect();
        assert_eq!(bodies, ["ours"], "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_account_is_sent_as_metrics_of_a_service_named_headertap() {
    let account = Arc::new(Account::default());
    account.seen(Unit::Spans, 10);
    account.settle(Unit::Spans, Outcome::Exported, 7);
    account.settle(Unit::Spans, Outcome::Lost(Cause::Expired), 3);
    let peer = Peer::replying([]).await;
    run(peer.address, Protocol::Grpc, &account).await;
    let metrics = requests::<ExportMetricsServiceRequest>(&peer, "metrics");
    let resources: Vec<_> =
        metrics.into_iter().flat_map(|request| request.resource_metrics).collect();
    let attributes: BTreeSet<_> = resources
        .iter()
        .flat_map(|metrics| metrics.resource.clone().expect("a resource").attributes)
        .map(|attribute| (attribute.key, text(attribute.value)))
        .collect();
    assert!(attributes.contains(&("service.name".into(), "headertap".into())), "{attributes:?}");
    let mut spans = BTreeSet::new();
    for metric in resources.into_iter().flat_map(|of| of.scope_metrics).flat_map(|of| of.metrics) {
        let Some(metric::Data::Sum(sum)) = metric.data else { panic!("{} is no sum", metric.name) };
        assert_eq!((sum.is_monotonic, metric.unit.as_str()), (true, "{item}"));
        for point in sum.data_points {
            let mut values: Vec<_> =
                point.attributes.into_iter().map(|attribute| text(attribute.value)).collect();
            values.sort();
            if values.contains(&"spans".to_owned()) {
                spans.insert((metric.name.clone(), values.join(" "), count(point.value)));
            }
        }
    }
    let row = |name: &str, values: &str, n| (format!("headertap.account.{name}"), values.into(), n);
    let expected = [
        row("exported", "spans", 7),
        row("filtered", "spans", 0),
        row("lost", "expired spans", 3),
        row("sampled", "spans", 0),
        row("seen", "spans", 10),
    ];
    assert_eq!(spans, BTreeSet::from(expected));
}

fn count(value: Option<number_data_point::Value>) -> i64 {
    match value {
        Some(number_data_point::Value::AsInt(n)) => n,
        other => panic!("{other:?} is no integer"),
    }
}

#[tokio::test]
async fn a_collector_that_is_away_does_not_hold_up_the_end() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent = listener.local_addr().expect("the listener is bound");
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let start = Instant::now();
        run(silent, protocol, &Arc::default()).await;
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_filter_that_is_not_understood_is_refused_by_name() {
    let built = Telemetry::build(Some("headertap=loud"), None, &Arc::default(), &Handle::current());
    let error = built.err().expect("loud is no level").to_string();
    assert!(error.starts_with("HEADERTAP_LOG=headertap=loud: "), "{error}");
}
