//! The query APIs: a question in, the store's answer out, as it came and as records.

use std::env;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use e2e::records::{Record, Records};
use e2e::{run, wait_for};
use serde_json::Value;
use tempfile::NamedTempFile;

/// The value of a variable of tests/stack/stack.sh, or its default there.
pub(crate) fn port(variable: &str, default: u16) -> u16 {
    env::var(variable).map_or(default, |port| port.parse().expect("a port is a number"))
}

fn jaeger(path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", port("HEADERTAP_JAEGER_QUERY_PORT", 16686))
}

/// Where stack.sh keeps process ids and logs.
pub(crate) fn state_folder() -> PathBuf {
    env::var_os("HEADERTAP_STACK_STATE").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/stack/state")),
        PathBuf::from,
    )
}

/// Fails the test, and says why, where the stack does not run.
pub(crate) fn stack_or_fail() {
    e2e::root_or_fail();
    let pid = state_folder().join("collector.pid");
    assert!(pid.exists(), "this test needs the stack (run: sudo make test-stack)");
}

/// What Jaeger answers for a trace, once it has at least `spans` spans.
pub(crate) fn trace(trace_id: &str, spans: usize) -> Trace {
    let url = jaeger(&format!("/api/v3/traces/{trace_id}"));
    wait_for(&format!("Jaeger to have {spans} spans of trace {trace_id}"), || {
        // An unknown trace is a 404.
        let output = Command::new("curl").args(["-sf", "--max-time", "5", &url]).output();
        let output = output.expect("curl is installed: make setup");
        let text = String::from_utf8(output.stdout).expect("Jaeger answers in UTF-8");
        let answer: Value = serde_json::from_str(&text).ok()?;
        let found = records(&answer["result"]).spans;
        (found.len() >= spans).then_some(Trace { text, spans: found })
    })
}

/// Jaeger's answer.
pub(crate) struct Trace {
    /// As it came.
    pub(crate) text: String,
    pub(crate) spans: Vec<Record>,
}

impl Trace {
    /// The only span of this kind (2 server, 3 client) that `is` fits.
    pub(crate) fn only(&self, kind: u64, is: impl Fn(&Record) -> bool) -> &Record {
        let fit: Vec<_> = self.spans.iter().filter(|span| span.kind == kind && is(span)).collect();
        assert_eq!(fit.len(), 1, "spans of kind {kind} in {}", self.text);
        fit[0]
    }
}

/// The same by Jaeger's older API, which its page uses: the answer as it came.
pub(crate) fn trace_of_page(trace_id: &str) -> String {
    run(Command::new("curl").args(["-sf", &jaeger(&format!("/api/traces/{trace_id}"))]))
}

/// Which service called which, as Jaeger draws it, of the last hour.
pub(crate) fn dependencies(now_ms: u128) -> Vec<(String, String)> {
    let url = jaeger(&format!("/api/dependencies?endTs={now_ms}&lookback=3600000"));
    let answer: Value = serde_json::from_str(&run(Command::new("curl").args(["-sf", &url])))
        .expect("Jaeger answers JSON");
    let name = |edge: &Value, end: &str| edge[end].as_str().unwrap_or_default().to_owned();
    let edges = answer["data"].as_array().into_iter().flatten();
    edges.map(|edge| (name(edge, "parent"), name(edge, "child"))).collect()
}

/// OTLP JSON as records.
fn records(otlp: &Value) -> Records {
    let mut file = NamedTempFile::new().expect("a temporary file");
    writeln!(file, "{otlp}").expect("room for an answer");
    Records::read(file.path())
}

/// What the log store answers to a `LogsQL` query: JSON lines.
pub(crate) fn logs_text(query: &str) -> String {
    let url = format!("http://127.0.0.1:{}/select/logsql/query", port("HEADERTAP_LOGS_PORT", 9428));
    let query = format!("query={query}");
    run(Command::new("curl").args(["-sf", "--max-time", "20", "--data-urlencode", &query, &url]))
}

/// The records that the log store finds; their names keep their dots.
pub(crate) fn logs(query: &str) -> Vec<Value> {
    let text = logs_text(query);
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// The records, once there are at least `least`.
pub(crate) fn wait_for_logs(query: &str, least: usize) -> Vec<Value> {
    wait_for(&format!("the log store to find {least} of {query}"), || {
        let found = logs(query);
        (found.len() >= least).then_some(found)
    })
}

/// How many records fit the query.
pub(crate) fn count(query: &str) -> u64 {
    number(&format!("{query} | stats count() n"))
}

/// The number `n` that a query with a pipe of `stats` gives.
pub(crate) fn number(query: &str) -> u64 {
    let found = logs(query);
    let n = found.first().and_then(|line| line["n"].as_str()).map(str::parse);
    n.and_then(Result::ok).unwrap_or_default()
}
