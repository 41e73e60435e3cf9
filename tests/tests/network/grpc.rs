//! gRPC by Google's implementation, seen from its first byte and joined late.

use e2e::agent::{Agent, Start};
use e2e::grpc::Calls;
use e2e::lan::Lan;
use e2e::records::Record;
use e2e::traffic::Ids;
use e2e::{root_or_fail, wait_for};

/// Everything is to be seen of the application's own metadata, which policy would hold back.
fn watch(lan: &Lan) -> Agent {
    Start::new(None).interfaces(lan.interface_names()).args(["--policy", "all"]).json().ready()
}

/// The client's records by their order.
fn asked(records: &[Record], port: u16) -> Vec<&Record> {
    let is_asked = |log: &&Record| {
        log.name == "headertap.http.exchange"
            && log.role() == Some("client")
            && log.number("network.peer.port") == Some(i64::from(port))
    };
    let mut asked: Vec<&Record> = records.iter().filter(is_asked).collect();
    asked.sort_by_key(|log| log.number("headertap.http.stream_id"));
    asked
}

fn ids(log: &Record) -> Ids {
    let id = |name| log.text(name).map(str::to_owned);
    (id("rpc.request.metadata.x-request-id"), id("rpc.response.metadata.x-request-id"))
}

/// The same of an exchange whose content type is not known, so that it is not told as a call.
fn header_ids(log: &Record) -> Ids {
    let owned = |id: Option<&str>| id.map(str::to_owned);
    (owned(log.request_header("x-request-id")), owned(log.response_header("x-request-id")))
}

#[test]
fn a_call_has_its_method_status_timeout_and_metadata() {
    root_or_fail();
    let lan = Lan::bridged();
    let agent = watch(&lan);
    let mut calls = Calls::over(&lan);
    assert_eq!(calls.call("Say a hello 5 x-tenant=one"), "OK 5");
    assert_eq!(calls.call("Say b fail 5"), "NOT_FOUND");
    assert_eq!(calls.call("Missing c hello 5"), "UNIMPLEMENTED");
    assert_eq!(calls.call("Count d 3 5"), "OK 3");
    assert_eq!(calls.call("Say e #1000000 5"), "OK 1000000");
    assert_eq!(calls.call("Cancel f slow 5"), "cancelled");
    calls.hang_up();
    let ended = agent.stop();
    ended.account().assert_lossless();
    let asked = asked(&ended.records.logs, calls.port);
    let told: Vec<_> = asked
        .iter()
        .map(|log| {
            let error = log.text("error.type").unwrap_or("-");
            let status = log.text("rpc.response.status_code").unwrap_or("-");
            (log.text("rpc.method").unwrap_or("-"), status, error)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("e2e.Echo/Say", "OK", "-"),
            ("e2e.Echo/Say", "NOT_FOUND", "NOT_FOUND"),
            ("e2e.Echo/Missing", "UNIMPLEMENTED", "UNIMPLEMENTED"),
            ("e2e.Echo/Count", "OK", "-"),
            ("e2e.Echo/Say", "OK", "-"),
            ("e2e.Echo/Say", "-", "stream_reset"),
        ]
    );
    let first = asked[0];
    assert_eq!(ids(first), (Some("a".into()), Some("a".into())));
    assert_eq!(first.text("rpc.request.metadata.x-tenant"), Some("one"));
    assert_eq!(first.text("headertap.http.response.trailer.x-cost"), Some("3"));
    assert_eq!(first.text("network.protocol.version"), Some("2"));
    let timeout = first.text("headertap.grpc.timeout").unwrap_or_default();
    assert!(timeout.ends_with(['m', 'S']), "a number and its unit: {timeout}");
    // Five bytes before each message.
    assert_eq!(asked[4].number("http.request.body.size"), Some(1_000_005));
    assert_eq!(asked[4].number("http.response.body.size"), Some(1_000_005));
    assert_eq!(asked[5].text("headertap.http.error_code"), Some("CANCEL"));
    let spans = ended.records.spans.iter().filter(|span| span.name == "e2e.Echo/Say");
    assert_eq!(spans.count(), 8, "client and server of four calls");
}

/// A client refers to what it sent before the agent began: of each field the truth is told, or
/// that it is not known; and what is new is known from then on.
#[test]
fn a_connection_that_is_joined_late_tells_nothing_that_is_wrong() {
    root_or_fail();
    let lan = Lan::bridged();
    let mut calls = Calls::over(&lan);
    for n in 0..20 {
        calls.call(&format!("Say early-{n} hello 5 x-tenant=one x-early=yes"));
    }
    let agent = watch(&lan);
    for n in 0..20 {
        calls.call(&format!("Say late-{n} hello 5 x-tenant=one x-early=yes x-late=yes"));
    }
    wait_for("the late calls", || {
        (asked(&agent.records().logs, calls.port).len() >= 20).then_some(())
    });
    let ended = agent.stop();
    ended.account().assert_closed();
    let asked = asked(&ended.records.logs, calls.port);
    assert_eq!(asked.len(), 20);
    let mut unknown = 0;
    for (n, log) in asked.iter().enumerate() {
        let id = Some(format!("late-{n}"));
        assert_eq!(header_ids(log), (id.clone(), id), "each id is new, so it is known");
        for (name, value) in [
            ("rpc.method", "e2e.Echo/Say"),
            ("http.request.method", "POST"),
            ("http.request.header.x-tenant", "one"),
            ("http.request.header.x-early", "yes"),
            ("http.request.header.content-type", "application/grpc"),
            ("http.request.header.te", "trailers"),
            ("rpc.response.status_code", "OK"),
        ] {
            assert!(log.text(name).is_none_or(|told| told == value), "{name} of {log:#?}");
        }
        assert_eq!(log.request_header("x-late"), Some("yes"), "{log:#?}");
        assert_eq!(log.status(), Some(200));
        assert_eq!(log.attributes["headertap.connection.truncated_start"], true);
        unknown += log.number("headertap.http.request.unknown_fields").unwrap_or_default();
    }
    assert!(unknown > 0, "this client refers to what it sent before");
}
