//! What each form of output says of exchanges full of secrets.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use e2e::agent::{Agent, Ended, Start};
use e2e::lan::Lan;
use e2e::{root_or_fail, wait_for};
use rustix::process::Signal;
use tempfile::NamedTempFile;

use super::exchange::{IN_BODIES, IN_FIELDS, IN_TARGETS, SHOWN, hold};
use super::sink::Sink;

/// Attributes of fields that are there, masked.
const MASKED: [&str; 9] = [
    "http.request.header.authorization",
    "http.request.header.proxy-authorization",
    "http.request.header.cookie",
    "http.request.header.x-api-key",
    "http.request.header.x-auth-token",
    "http.request.header.x-csrf-token",
    "http.response.header.set-cookie",
    "headertap.http.interim.header.set-cookie",
    "headertap.http.response.trailer.x-session-token",
];
const MASKED_QUERY: &str = "token=REDACTED&page=2&access_token=REDACTED&sig=REDACTED";
/// Bytes between a name and its value in protobuf: tags and lengths.
const PROTOBUF_BETWEEN: usize = 16;

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Those of `texts` that are in `bytes`.
fn found<'a>(bytes: &[u8], texts: impl IntoIterator<Item = &'a &'a str>) -> Vec<&'a str> {
    texts.into_iter().copied().filter(|text| holds(bytes, text)).collect()
}

/// Everything that a headertap left that has watched the exchanges.
struct Left {
    ended: Ended,
    account: Vec<u8>,
    json: Vec<u8>,
    port: u16,
}

impl Left {
    /// Starts it as `arrange` says, holds the exchanges and ends it.
    fn by(arrange: impl FnOnce(Start) -> Start) -> Self {
        root_or_fail();
        let lan = Lan::bridged();
        let mut agent = arrange(Start::new(None).interfaces(lan.interface_names())).ready();
        let path = account_path(&agent);
        let port = hold(&lan);
        agent.signal(Signal::TERM);
        wait_for("headertap to end", || agent.ended());
        // Waiting takes its files away.
        let account = fs::read(&path).expect("it has written its account");
        let json = fs::read(path.with_file_name("records.json")).unwrap_or_default();
        let ended = agent.wait();
        assert!(ended.status.success(), "{}: {}", ended.status, ended.stderr);
        ended.account().assert_lossless();
        assert_eq!(ended.account().row("http").exported, 2);
        Self { ended, account, json, port }
    }

    /// Fails unless `output` tells of both exchanges, and nothing of `secrets` is in it, nor in
    /// anything else that was left.
    fn assert_without<'a>(&self, output: &[u8], secrets: impl Iterator<Item = &'a &'a str>) {
        assert_eq!(found(output, &SHOWN), SHOWN, "the exchanges are in the output");
        let secrets: Vec<_> = secrets.collect();
        for (what, bytes) in [
            ("the output", output),
            ("standard output", self.ended.stdout.as_bytes()),
            ("standard error", self.ended.stderr.as_bytes()),
            ("the account", &self.account),
        ] {
            let leaked = found(bytes, secrets.iter().copied());
            assert!(leaked.is_empty(), "in {what}: {leaked:?}");
        }
    }
}

/// Where it will write its account, by its command line.
fn account_path(agent: &Agent) -> PathBuf {
    let line = fs::read_to_string(format!("/proc/{}/cmdline", agent.pid()));
    let line = line.expect("it runs, and its arguments are UTF-8");
    let mut arguments = line.split('\0').skip_while(|argument| *argument != "--account-path");
    arguments.nth(1).expect("the guard gives it the path").into()
}

fn secrets() -> impl Iterator<Item = &'static &'static str> {
    IN_FIELDS.iter().chain(&IN_TARGETS).chain(&IN_BODIES)
}

#[test]
fn no_secret_is_in_the_text() {
    let left = Left::by(|start| start.args(["--output", "text"]));
    let text = &left.ended.stdout;
    left.assert_without(text.as_bytes(), secrets());
    for line in [
        "> Authorization: REDACTED",
        "> Proxy-Authorization: REDACTED",
        "> Cookie: REDACTED",
        "> X-Api-Key: REDACTED",
        "> X-Auth-Token: REDACTED",
        "> X-CSRF-Token: REDACTED",
        "< X-Session-Token: REDACTED",
    ] {
        assert!(text.lines().any(|told| told.trim() == line), "{line} in {text}");
    }
    let cookies = text.matches("< Set-Cookie: REDACTED\n").count();
    assert_eq!(cookies, 2, "of the interim and of the final response: {text}");
    assert!(text.contains(MASKED_QUERY), "{text}");
    assert!(text.contains("REDACTED:REDACTED@"), "{text}");
}

#[test]
fn no_secret_is_in_the_otlp_json() {
    let left = Left::by(Start::json);
    left.assert_without(&left.json, secrets());
    let exchanges = left.ended.records.exchanges(left.port);
    let of_login = exchanges.iter().filter(|log| log.path() == Some("/plainLogin41"));
    let of_login: Vec<_> = of_login.collect();
    assert_eq!(of_login.len(), 2, "of the client and of the server: {exchanges:#?}");
    for log in of_login {
        for name in MASKED {
            assert_eq!(log.text(name), Some("REDACTED"), "{name} of {log:#?}");
        }
        let url = log.text("url.full").or_else(|| log.text("url.query"));
        assert!(url.is_some_and(|url| url.ends_with(MASKED_QUERY)), "{url:?}");
    }
    assert!(holds(&left.json, "REDACTED:REDACTED@"), "the userinfo of url.full");
}

#[test]
fn no_secret_is_in_the_bytes_of_otlp_on_the_wire() {
    let sink = Sink::start();
    let left = Left::by(|start| {
        start
            .args(["--output", "otlp"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.endpoint())
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    });
    let sent = sink.bytes();
    assert_eq!(found(&sent.to_ascii_lowercase(), &["content-encoding"]), [""; 0], "not packed");
    assert_eq!(found(&sent, &["POST /v1/logs", "POST /v1/traces"]).len(), 2, "both signals");
    left.assert_without(&sent, secrets());
    for name in MASKED {
        assert!(is_masked(&sent, name), "{name} is sent as REDACTED");
    }
    assert!(holds(&sent, MASKED_QUERY) && holds(&sent, "REDACTED:REDACTED@"), "in the URL");
}

/// Whether the value after every `name` is `REDACTED`, and there is one.
fn is_masked(protobuf: &[u8], name: &str) -> bool {
    let after = protobuf.windows(name.len() + PROTOBUF_BETWEEN).filter_map(|window| {
        window.strip_prefix(name.as_bytes()).map(|between| holds(between, "REDACTED"))
    });
    let masked: Vec<bool> = after.collect();
    !masked.is_empty() && masked.iter().all(|masked| *masked)
}

/// What is kept is shown without the secrets in it, where a field is a URL or has one in it.
#[test]
fn fields_that_are_kept_by_default_show_no_secret_of_their_urls() {
    let mut config = NamedTempFile::new().expect("a temporary file");
    config.write_all(b"[policy]\ndefault = \"keep\"\n").expect("our own file");
    let path = config.path().to_str().expect("temporary files have plain names");
    let left = Left::by(|start| start.args(["--config", path]).json());
    left.assert_without(&left.json, secrets());
    let exchanges = left.ended.records.exchanges(left.port);
    let mut of_move = exchanges.iter().filter(|log| log.path() == Some("/plainMoved43"));
    let log = of_move.next().expect("the exchange was exported");
    for (name, shown) in [
        ("http.request.header.referer", "http://test/from?token=REDACTED"),
        ("http.response.header.location", "http://test/to?token=REDACTED"),
        ("http.response.header.link", "</next?page=2&access_token=REDACTED"),
    ] {
        assert_eq!(log.text(name), Some(shown), "{name}");
    }
}

/// Whoever looks for a fault turns everything on, and sends what it says to others.
#[test]
fn no_secret_is_in_standard_error_when_everything_is_logged() {
    let left = Left::by(|start| start.json().env("HEADERTAP_LOG", "trace"));
    let said = &left.ended.stderr;
    assert!(["DEBUG", "TRACE"].iter().any(|level| said.contains(level)), "it logs: {said}");
    left.assert_without(&left.json, secrets());
    assert_eq!(found(said.as_bytes(), &SHOWN), [""; 0], "nor anything of an exchange");
}

#[test]
fn policy_all_warns_and_exports_every_header_but_no_body() {
    let left = Left::by(|start| start.args(["--policy", "all"]).json());
    left.assert_without(&left.json, IN_BODIES.iter());
    assert_eq!(found(&left.json, &IN_FIELDS), IN_FIELDS, "headers as they are");
    assert_eq!(found(&left.json, &IN_TARGETS[..3]), IN_TARGETS[..3], "queries as they are");
    let said = &left.ended.stderr;
    let warned = said.lines().any(|line| line.contains("WARN") && line.contains("policy all"));
    assert!(warned, "no warning in: {said}");
    assert_eq!(found(said.as_bytes(), secrets()), [""; 0], "in standard error");
}
