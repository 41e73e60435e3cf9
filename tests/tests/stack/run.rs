//! One run: two hosts on a bridge, an origin on one and a proxy before it on the other, and
//! headertap, which sends what it sees to the collector.

use std::sync::{Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use e2e::agent::{self, Agent, Ended};
use e2e::lan::Lan;
use e2e::run;
use e2e::servers::{self, Nginx};

use super::stores::{port, stack_or_fail};

/// One at a time: what is in the stores is told apart by the time of the run.
static TURN: Mutex<()> = Mutex::new(());

/// How headertap sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Grpc,
    GzipOverHttp,
}

/// A client, a proxy and an origin, watched by a headertap that runs.
pub(crate) struct Run {
    agent: Agent,
    pub(crate) lan: Lan,
    /// Answers every path; on the client's host, so that what the proxy asks crosses the bridge.
    pub(crate) origin: Nginx,
    /// Asks the origin for `/via/...`, without the `/via`.
    pub(crate) edge: Nginx,
    started_ns: u128,
    _turn: MutexGuard<'static, ()>,
}

/// A run that is over.
pub(crate) struct Over {
    pub(crate) ended: Ended,
    started_ns: u128,
    ended_ns: u128,
    _turn: MutexGuard<'static, ()>,
}

impl Run {
    /// Starts everything; headertap watches the bridge and its ports, and `lo` where asked to.
    pub(crate) fn start(carrier: Carrier, watch_lo: bool) -> Self {
        stack_or_fail();
        let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let lan = Lan::bridged();
        let origin = servers::Start::new(Some(&lan.client)).server(ORIGIN).start();
        let upstream = format!(
            "location /via/ {{ proxy_buffering off; proxy_pass http://{}:{}/; }}",
            lan.client_v4(),
            origin.port
        );
        let edge = servers::Start::new(Some(&lan.server)).server(&upstream).start();
        let started_ns = now_ns();
        let lo = watch_lo.then_some("lo");
        let interfaces = lan.interface_names().into_iter().chain(lo);
        let agent = exporting(agent::Start::new(None).interfaces(interfaces), carrier).ready();
        Self { agent, lan, origin, edge, started_ns, _turn: turn }
    }

    /// Sends a request with curl from the client's host. `target` begins with `/`.
    pub(crate) fn curl(&self, environment: &[(&str, &str)], arguments: &[&str], target: &str) {
        let url = format!("http://{}:{}{target}", self.lan.server_v4(), self.edge.port);
        let mut curl = self.lan.client.command("curl");
        curl.args(["-sS", "--max-time", "10", "-o", "/dev/null"]).args(arguments).arg(url);
        run(curl.envs(environment.iter().copied()));
    }

    /// Ends headertap by SIGTERM.
    pub(crate) fn stop(self) -> Over {
        let ended = self.agent.stop();
        let (started_ns, ended_ns) = (self.started_ns, now_ns());
        Over { ended, started_ns, ended_ns, _turn: self._turn }
    }
}

impl Over {
    /// The records of this run, as a `LogsQL` filter.
    pub(crate) fn records(&self) -> String {
        window(self.started_ns, self.ended_ns)
    }
}

const ORIGIN: &str = "
    location /orders { add_header Set-Cookie 'session=secret-of-the-answer' always; return 201 'no\\n'; }
    location /slow { limit_rate 2000; alias www/slow; }
    location /broken { return 503 'no\\n'; }
";

fn exporting(start: agent::Start, carrier: Carrier) -> agent::Start {
    let grpc = port("HEADERTAP_OTLP_GRPC_PORT", 4317);
    let http = port("HEADERTAP_OTLP_HTTP_PORT", 4318);
    let (port, protocol, compression) = match carrier {
        Carrier::Grpc => (grpc, "grpc", "none"),
        Carrier::GzipOverHttp => (http, "http/protobuf", "gzip"),
    };
    start
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://127.0.0.1:{port}"))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
}

/// What headertap observed between two times. What it says of itself is another distribution's.
fn window(from_ns: u128, to_ns: u128) -> String {
    format!("_time:[{from_ns}, {to_ns}] \"telemetry.distro.name\":=\"headertap\"")
}

pub(crate) fn now_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_nanos()
}

/// Trace and span id of a caller that is not seen, and its `traceparent` field.
pub(crate) fn caller() -> (String, String, String) {
    let trace_id = format!("{:032x}", now_ns());
    let span_id = format!("{:016x}", u64::try_from(now_ns() % (1 << 60)).expect("it is less"));
    let field = format!("traceparent: 00-{trace_id}-{span_id}-01");
    (trace_id, span_id, field)
}
