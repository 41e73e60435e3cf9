//! The whole delivery against a peer that answers as the table of each test says.

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderName, HeaderValue};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::endpoint::{Compression, Endpoint, Endpoints, Protocol};
use super::{Delivery, Limits, Settings, WhenFull};
use crate::export::{Record, Signal};
use crate::stats::{Account, Cause, Outcome, Row, Tally, Unit};
use peer::{Peer, Reply, Seen};

pub(crate) mod peer;
mod tls;

const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];
const LONG: Duration = Duration::from_secs(20);

/// An endpoint of `peer`.
pub(crate) fn endpoint(address: std::net::SocketAddr, protocol: Protocol) -> Endpoint {
    Endpoint {
        protocol,
        url: format!("http://{address}/v1/logs").parse().expect("a URL"),
        headers: Vec::new(),
        timeout: Duration::from_secs(5),
        compression: Compression::None,
        certificate: None,
    }
}

fn settings(logs: Endpoint) -> Settings {
    let endpoints = Endpoints { traces: logs.clone(), metrics: logs.clone(), logs };
    let limits = Limits { linger: Duration::from_millis(20), ..Limits::default() };
    Settings { endpoints, limits, when_full: WhenFull::Lose }
}

/// A delivery and what its test asks of it.
struct Bench {
    delivery: Delivery,
    account: Arc<Account>,
}

impl Bench {
    fn start(settings: &Settings) -> Self {
        let account = Arc::new(Account::default());
        let delivery = Delivery::start(settings, &account, &Handle::current());
        Self { delivery: delivery.expect("no TLS to set up"), account }
    }

    fn to(peer: &Peer, protocol: Protocol) -> Self {
        Self::start(&settings(endpoint(peer.address, protocol)))
    }

    /// Pushes one log record with `size` bytes of body text.
    fn push(&self, number: u64, size: usize) {
        self.account.seen(Unit::LogRecords, 1);
        let tally = Tally { log_records: 1, ..Tally::default() };
        self.delivery.push(record(Signal::Logs, number, size, tally));
    }

    fn row(&self) -> &Row {
        self.account.row(Unit::LogRecords)
    }

    fn exported(&self) -> u64 {
        self.row().count(Outcome::Exported)
    }

    fn lost(&self, cause: Cause) -> u64 {
        self.row().count(Outcome::Lost(cause))
    }

    /// Waits until every record is settled.
    async fn settled(&self) {
        let all = async {
            while self.row().pending() != 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, all).await.unwrap_or_else(|_| panic!("{:?}", self.account));
    }
}

fn record(signal: Signal, number: u64, size: usize, tally: Tally) -> Record {
    let body = LogRecord {
        time_unix_nano: number,
        severity_text: "x".repeat(size),
        ..LogRecord::default()
    };
    Record { signal, resource: [].into(), bytes: body.encode_to_vec(), tally }
}

/// The numbers of the records in a request.
fn numbers(seen: &Seen) -> Vec<u64> {
    let request = ExportLogsServiceRequest::decode(seen.body.as_slice()).expect("a request");
    let scopes = request.resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
    scopes.flat_map(|logs| logs.log_records).map(|record| record.time_unix_nano).collect()
}

/// One record meets `reply`, then acceptance: how many requests that took, and what it became.
async fn outcome(protocol: Protocol, reply: Reply) -> (usize, Outcome) {
    let peer = Peer::replying([reply]).await;
    let bench = Bench::to(&peer, protocol);
    bench.push(1, 10);
    bench.settled().await;
    let outcomes = Cause::ALL.map(Outcome::Lost).into_iter().chain([Outcome::Exported]);
    let outcome = outcomes.into_iter().find(|outcome| bench.row().count(*outcome) == 1);
    (peer.seen().len(), outcome.expect("one record has one outcome"))
}

const DELIVERED: (usize, Outcome) = (2, Outcome::Exported);
const REFUSED: (usize, Outcome) = (1, Outcome::Lost(Cause::NonRetryable));

#[tokio::test]
async fn each_grpc_status_is_retried_or_counted_as_the_specification_says() {
    let mut cases = JoinSet::new();
    for code in 1..=16 {
        cases.spawn(async move { (code, outcome(Protocol::Grpc, Reply::Grpc(code, None)).await) });
    }
    for (code, outcome) in cases.join_all().await {
        let retryable = [1, 4, 10, 11, 14, 15].contains(&code);
        assert_eq!(outcome, if retryable { DELIVERED } else { REFUSED }, "code {code}");
    }
}

#[tokio::test]
async fn each_http_status_is_retried_or_counted_as_the_specification_says() {
    let mut cases = JoinSet::new();
    for status in [301, 307, 400, 401, 403, 404, 408, 413, 429, 500, 501, 502, 503, 504] {
        cases.spawn(async move {
            (status, outcome(Protocol::HttpProtobuf, Reply::Http(status, None)).await)
        });
    }
    for (status, outcome) in cases.join_all().await {
        let retryable = [429, 502, 503, 504].contains(&status);
        assert_eq!(outcome, if retryable { DELIVERED } else { REFUSED }, "status {status}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_retried() {
    for protocol in BOTH {
        assert_eq!(outcome(protocol, Reply::Break).await, DELIVERED, "{protocol:?}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_retried() {
    for protocol in BOTH {
        let peer = Peer::replying([Reply::Hang]).await;
        let timeout = Duration::from_millis(100);
        let bench =
            Bench::start(&settings(Endpoint { timeout, ..endpoint(peer.address, protocol) }));
        bench.push(1, 10);
        bench.settled().await;
        assert_eq!((peer.seen().len(), bench.exported()), (2, 1), "{protocol:?}");
    }
}

/// The rows of the table that the SDK's exporter fails: it gives up where the collector only
/// asked for patience.
#[tokio::test]
async fn the_time_that_the_collector_asks_for_is_kept() {
    let second = Some(Duration::from_secs(1));
    let rows = [
        (Protocol::Grpc, Reply::Grpc(8, second)),
        (Protocol::Grpc, Reply::Grpc(14, second)),
        (Protocol::HttpProtobuf, Reply::Http(429, Some("1"))),
        (Protocol::HttpProtobuf, Reply::Http(503, Some("1"))),
    ];
    let mut cases = JoinSet::new();
    for (protocol, reply) in rows {
        cases.spawn(async move {
            let peer = Peer::replying([reply.clone()]).await;
            let bench = Bench::to(&peer, protocol);
            bench.push(1, 10);
            bench.settled().await;
            let at: Vec<_> = peer.seen().iter().map(|seen| seen.at).collect();
            let [first, second] = at.try_into().expect("two requests");
            (reply, bench.exported(), second - first)
        });
    }
    for (reply, exported, waited) in cases.join_all().await {
        assert_eq!(exported, 1, "{reply:?}");
        assert!(waited >= Duration::from_secs(1), "{reply:?} after {waited:?}");
    }
}

#[tokio::test]
async fn a_collector_that_is_unavailable_many_times_still_gets_everything() {
    let peer = Peer::replying(vec![Reply::Grpc(14, None); 4]).await;
    let bench = Bench::to(&peer, Protocol::Grpc);
    bench.push(1, 10);
    bench.settled().await;
    assert_eq!((peer.seen().len(), bench.exported()), (5, 1));
}

#[tokio::test]
async fn rejected_records_are_counted_and_the_rest_is_exported() {
    for protocol in BOTH {
        let peer = Peer::replying([Reply::Reject(3)]).await;
        let bench = Bench::to(&peer, protocol);
        (0..10).for_each(|number| bench.push(number, 10));
        bench.settled().await;
        assert_eq!(bench.lost(Cause::RejectedPartial), 3, "{protocol:?}");
        assert_eq!((bench.exported(), peer.seen().len()), (7, 1), "{protocol:?}: not sent again");
    }
}

#[tokio::test]
async fn a_batch_that_is_too_large_goes_in_two_halves() {
    let too_large = [Reply::Grpc(8, None), Reply::Http(413, None)];
    for (protocol, reply) in BOTH.into_iter().zip(too_large) {
        let answer =
            move |seen: &Seen| if seen.body.len() > 70_000 { reply.clone() } else { Reply::Accept };
        let peer = Peer::start(answer).await;
        let bench = Bench::to(&peer, protocol);
        (0..100).for_each(|number| bench.push(number, 1000));
        bench.settled().await;
        assert_eq!((bench.exported(), peer.seen().len()), (100, 3), "{protocol:?}");
        let arrived: Vec<_> = peer.accepted().iter().flat_map(numbers).collect();
        assert_eq!(arrived, (0..100).collect::<Vec<_>>(), "{protocol:?}");
    }
}

#[tokio::test]
async fn a_half_that_is_too_large_is_not_split_again() {
    let peer = Peer::start(|_| Reply::Http(413, None)).await;
    let bench = Bench::to(&peer, Protocol::HttpProtobuf);
    (0..100).for_each(|number| bench.push(number, 1000));
    bench.settled().await;
    assert_eq!((bench.lost(Cause::NonRetryable), peer.seen().len()), (100, 3));
}

#[tokio::test]
async fn requests_carry_the_configured_headers_and_the_carriers_own() {
    for protocol in BOTH {
        let peer = Peer::replying([]).await;
        let key = (HeaderName::from_static("api-key"), HeaderValue::from_static("k"));
        let target = endpoint(peer.address, protocol);
        let bench = Bench::start(&settings(Endpoint { headers: vec![key], ..target }));
        bench.push(1, 10);
        bench.settled().await;
        let [seen] = peer.seen().try_into().expect("one request");
        assert_eq!(seen.headers.get("api-key").map(HeaderValue::as_bytes), Some(&b"k"[..]));
        let agent = seen.headers.get("user-agent").and_then(|value| value.to_str().ok());
        assert!(agent.is_some_and(|agent| agent.starts_with("headertap/")), "{agent:?}");
        let (path, content_type) = match protocol {
            Protocol::Grpc => {
                ("/opentelemetry.proto.collector.logs.v1.LogsService/Export", "application/grpc")
            }
            Protocol::HttpProtobuf => ("/v1/logs", "application/x-protobuf"),
        };
        assert_eq!(
            (seen.path.as_str(), &seen.headers["content-type"]),
            (path, &content_type.parse().expect("a value"))
        );
    }
}

#[tokio::test]
async fn gzip_is_said_and_done() {
    for protocol in BOTH {
        let peer = Peer::replying([]).await;
        let target = endpoint(peer.address, protocol);
        let bench = Bench::start(&settings(Endpoint { compression: Compression::Gzip, ..target }));
        (0..50).for_each(|number| bench.push(number, 1000));
        bench.settled().await;
        let [seen] = peer.seen().try_into().expect("one request");
        let name = if protocol == Protocol::Grpc { "grpc-encoding" } else { "content-encoding" };
        assert_eq!(seen.headers.get(name).map(HeaderValue::as_bytes), Some(&b"gzip"[..]));
        assert_eq!(numbers(&seen), (0..50).collect::<Vec<_>>(), "{protocol:?}");
        assert_eq!(bench.exported(), 50, "{protocol:?}: the answer may be compressed too");
    }
}

#[tokio::test]
async fn a_peer_that_was_down_for_five_seconds_loses_nothing() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = gone.local_addr().expect("the listener is bound");
    drop(gone);
    let bench = Bench::start(&settings(endpoint(address, Protocol::Grpc)));
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < Duration::from_secs(5) {
        bench.push(sent, 1000);
        sent += 1;
        sleep(Duration::from_millis(5)).await;
    }
    let peer = Peer::on(TcpListener::bind(address).await.expect("still free"), |_| Reply::Accept);
    bench.settled().await;
    let mut arrived: Vec<_> = peer.accepted().iter().flat_map(numbers).collect();
    arrived.sort_unstable();
    assert_eq!(arrived, (0..sent).collect::<Vec<_>>());
    assert_eq!(bench.exported(), sent);
}

#[tokio::test]
async fn a_record_past_the_age_limit_is_counted_expired() {
    let peer = Peer::start(|_| Reply::Grpc(14, None)).await;
    let mut settings = settings(endpoint(peer.address, Protocol::Grpc));
    settings.limits.age = Duration::from_millis(600);
    let bench = Bench::start(&settings);
    bench.push(1, 10);
    bench.settled().await;
    assert_eq!(bench.lost(Cause::Expired), 1);
    assert!(!peer.seen().is_empty(), "it was tried first");
}

#[tokio::test]
async fn a_signal_that_hangs_does_not_hold_up_the_other() {
    let hang = |seen: &Seen| match seen.path.contains("Logs") {
        true => Reply::Hang,
        false => Reply::Accept,
    };
    let peer = Peer::start(hang).await;
    let bench = Bench::to(&peer, Protocol::Grpc);
    bench.push(1, 10);
    bench.account.seen(Unit::Spans, 1);
    let tally = Tally { spans: 1, ..Tally::default() };
    bench.delivery.push(record(Signal::Traces, 2, 10, tally));
    let spans = bench.account.row(Unit::Spans);
    let exported = async {
        while spans.count(Outcome::Exported) == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(4), exported).await.expect("the span is exported");
}

#[tokio::test]
async fn a_drain_sends_what_is_left_without_lingering() {
    let peer = Peer::replying([]).await;
    let mut settings = settings(endpoint(peer.address, Protocol::Grpc));
    settings.limits.linger = Duration::from_secs(3600);
    let Bench { delivery, account } = Bench::start(&settings);
    let tally = Tally { log_records: 1, ..Tally::default() };
    delivery.push(record(Signal::Logs, 1, 10, tally));
    delivery.drain(LONG).await;
    assert_eq!(account.row(Unit::LogRecords).count(Outcome::Exported), 1);
}

#[tokio::test]
async fn a_drain_ends_at_its_deadline_and_counts_the_rest() {
    for reply in [Reply::Hang, Reply::Grpc(14, None), Reply::Grpc(14, Some(LONG))] {
        let peer = Peer::start(move |_| reply.clone()).await;
        let Bench { delivery, account } = Bench::to(&peer, Protocol::Grpc);
        let tally = Tally { log_records: 1, ..Tally::default() };
        // More than can be under way at once.
        (0..8).for_each(|n| delivery.push(record(Signal::Logs, n, 1 << 20, tally)));
        while peer.seen().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        let start = Instant::now();
        delivery.drain(Duration::from_millis(300)).await;
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        let lost = account.row(Unit::LogRecords).count(Outcome::Lost(Cause::Shutdown));
        assert_eq!(lost, 8);
    }
}

/// A wait of up to 30 s does not outlast the stop: the batch gets one prompt try.
#[tokio::test]
async fn a_drain_ends_the_wait_for_the_next_attempt() {
    let peer = Peer::replying(vec![Reply::Grpc(14, None); 5]).await;
    let Bench { delivery, account } = Bench::to(&peer, Protocol::Grpc);
    let tally = Tally { log_records: 1, ..Tally::default() };
    delivery.push(record(Signal::Logs, 1, 10, tally));
    while peer.seen().len() < 5 {
        sleep(Duration::from_millis(5)).await;
    }
    delivery.drain(Duration::from_secs(2)).await;
    assert_eq!(account.row(Unit::LogRecords).count(Outcome::Exported), 1);
}

/// Every kind of failure at random, many at once: the account closes, and what is counted taken is
/// what the peer took.
async fn random_failures(seed: u64) {
    let mut chance = fastrand::Rng::with_seed(seed);
    let protocol = BOTH[usize::from(chance.bool())];
    let mut answers = chance.fork();
    let grpc = protocol == Protocol::Grpc;
    let peer = Peer::start(move |_| match (answers.u8(0..8), grpc) {
        (0..=3, _) => Reply::Accept,
        (4, _) => Reply::Reject(answers.i64(-1..40)),
        (5, _) => Reply::Break,
        (6, true) => Reply::Grpc(answers.i32(1..=16), None),
        (6, false) => Reply::Http(answers.u16(400..520), None),
        (_, true) => Reply::Grpc(8, None),
        (_, false) => Reply::Http(413, None),
    })
    .await;
    let mut settings = settings(endpoint(peer.address, protocol));
    settings.limits.queue_items = 900;
    settings.limits.batch_bytes = 40_000;
    settings.limits.request_bytes = 90_000;
    let bench = Bench::start(&settings);
    let pushed = chance.u64(1..1500);
    for number in 0..pushed {
        bench.push(number, chance.usize(0..1000) + 95_000 * usize::from(chance.u8(..) == 0));
        if chance.u8(..) < 3 {
            tokio::task::yield_now().await;
        }
    }
    bench.delivery.drain(Duration::from_secs(2)).await;
    let row = bench.account.row(Unit::LogRecords);
    assert_eq!((row.seen(), row.pending()), (pushed, 0), "seed {seed}: {:?}", bench.account);
    let arrived = peer.accepted().iter().map(|seen| numbers(seen).len()).sum::<usize>();
    let rejected = row.count(Outcome::Lost(Cause::RejectedPartial));
    let taken = usize::try_from(row.count(Outcome::Exported) + rejected).expect("few");
    // What was under way at the deadline may have arrived, with its answer still to come.
    let cut = usize::try_from(row.count(Outcome::Lost(Cause::Shutdown))).expect("few");
    assert!((taken..=taken + cut).contains(&arrived), "seed {seed}: {arrived} {:?}", bench.account);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_closes_under_random_failures() {
    let seed = fastrand::u64(..1 << 48);
    let mut cases = JoinSet::new();
    for case in 0..64 {
        cases.spawn(random_failures(seed + case));
    }
    cases.join_all().await;
}
