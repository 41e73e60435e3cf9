//! What the stores answer about single exchanges.

use super::run::{Carrier, Run, caller, now_ns};
use super::stores::{
    Trace, count, dependencies, logs_text, port, state_folder, trace, trace_of_page, wait_for_logs,
};
use e2e::records::Record;
use e2e::wait_for;
use serde_json::Value;

const SERVER: u64 = 2;
const CLIENT: u64 = 3;

fn is_of<'a>(service: &'a str) -> impl Fn(&Record) -> bool + 'a {
    move |span| span.resource_text("service.name") == Some(service)
}

/// The two exchanges of a request by way of the proxy: each end's span is the child of the one
/// before it, and the first of a caller that nobody saw.
fn assert_is_chain(trace: &Trace, caller: &str, client: &str, run: &Run) {
    let at = |port: u16| move |span: &Record| span.number("server.port") == Some(port.into());
    let is_to_origin =
        |span: &Record| span.number("network.peer.port") == Some(run.origin.port.into());
    let asked = trace.only(CLIENT, is_of(client));
    let edge =
        trace.only(SERVER, |span| span.number("network.local.port") == Some(run.edge.port.into()));
    let forwarded = trace.only(CLIENT, is_to_origin);
    let origin = trace
        .only(SERVER, |span| span.number("network.local.port") == Some(run.origin.port.into()));
    assert!(at(run.edge.port)(asked), "the client asked the proxy: {}", trace.text);
    let parents = [asked, edge, forwarded, origin].map(|span| span.parent_span_id.as_str());
    let expected = [caller, &asked.span_id, &edge.span_id, &forwarded.span_id];
    assert_eq!(parents, expected, "each span's parent in {}", trace.text);
    for span in [edge, forwarded, origin] {
        assert_eq!(span.resource_text("service.name"), Some("nginx"), "{}", span.json);
    }
}

#[test]
fn jaeger_has_one_trace_from_the_caller_over_the_proxy_to_the_origin() {
    let run = Run::start(Carrier::Grpc, false);
    let (trace_id, span_id, traceparent) = caller();
    run.curl(&[], &["-H", &traceparent, "-H", "X-Request-Id: r1"], "/via/items?page=2");
    let trace = trace(&trace_id, 4);
    assert_is_chain(&trace, &span_id, "curl", &run);
    for span in &trace.spans {
        for (name, value) in &span.attributes {
            let is_field = name.starts_with("http.request.header.")
                || name.starts_with("http.response.header.");
            assert!(!is_field || value.is_array(), "{name} is an array: {value}");
        }
        assert_eq!(span.request_header("x-request-id"), Some("r1"), "{}", span.json);
        assert_eq!(span.response_header("content-type"), Some("text/plain"), "{}", span.json);
        assert_eq!(span.status(), Some(200), "{}", span.json);
    }
    let edges = dependencies(now_ns() / 1_000_000);
    for edge in [("curl", "nginx"), ("nginx", "nginx")] {
        assert!(edges.contains(&(edge.0.into(), edge.1.into())), "{edge:?} in {edges:?}");
    }
}

#[test]
fn a_service_has_the_name_that_its_environment_gives_it() {
    let run = Run::start(Carrier::Grpc, false);
    let (trace_id, span_id, traceparent) = caller();
    let environment = [("OTEL_SERVICE_NAME", "checkout")];
    // A process that ends sooner than it is looked at keeps its environment to itself.
    run.origin.put("slow", &[b'.'; 4096]);
    run.curl(&environment, &["-H", &traceparent], "/via/slow");
    let trace = trace(&trace_id, 4);
    assert_is_chain(&trace, &span_id, "checkout", &run);
}

#[test]
fn protobuf_over_http_with_gzip_delivers_the_same_trace() {
    let run = Run::start(Carrier::GzipOverHttp, false);
    let (trace_id, span_id, traceparent) = caller();
    run.curl(&[], &["-H", &traceparent], "/via/items");
    assert_is_chain(&trace(&trace_id, 4), &span_id, "curl", &run);
    let by_trace = format!("trace_id:=\"{trace_id}\"");
    assert_eq!(wait_for_logs(&by_trace, 4).len(), 4, "a log record an end");
    run.stop().ended.account().assert_closed();
}

fn ids(records: &[Value]) -> Vec<(String, String)> {
    let text = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let mut ids: Vec<_> =
        records.iter().map(|record| (text(record, "trace_id"), text(record, "span_id"))).collect();
    ids.sort();
    ids
}

#[test]
fn the_log_store_finds_an_exchange_by_its_trace_and_by_its_header() {
    let run = Run::start(Carrier::Grpc, false);
    let (trace_id, _, traceparent) = caller();
    let id = format!("request-{trace_id}");
    let header = format!("X-Request-Id: {id}");
    run.curl(&[], &["-H", &traceparent, "-H", &header], "/via/items");
    let exchange = "\"headertap.event.name\":=\"headertap.http.exchange\"";
    let by_trace = wait_for_logs(&format!("{exchange} trace_id:=\"{trace_id}\""), 4);
    let by_header = wait_for_logs(
        &format!("{exchange} \"http.request.header.x-request-id\":=\"[\\\"{id}\\\"]\""),
        4,
    );
    assert_eq!(ids(&by_trace), ids(&by_header), "the same records");
    let mut spans: Vec<_> = trace(&trace_id, 4).spans;
    spans.sort_by(|a, b| a.span_id.cmp(&b.span_id));
    let spans: Vec<_> = spans.into_iter().map(|span| (span.trace_id, span.span_id)).collect();
    assert_eq!(ids(&by_trace), spans, "a record a span, with its ids");
}

#[test]
fn the_name_of_the_event_tells_records_apart() {
    let run = Run::start(Carrier::Grpc, false);
    run.curl(&[], &[], "/via/broken");
    let at_edge = |event: &str| {
        format!(
            "\"headertap.event.name\":=\"headertap.{event}\" \"network.peer.port\":=\"{}\"",
            run.edge.port
        )
    };
    for (event, severity) in
        [("connection.open", "9"), ("http.exchange", "17"), ("connection.close", "9")]
    {
        let found = wait_for_logs(&at_edge(event), 1);
        assert_eq!(found.len(), 1, "{event} of curl's connection: {found:?}");
        assert_eq!(found[0]["severity_number"].as_str(), Some(severity), "{event}: {found:?}");
    }
}

#[test]
fn no_answer_of_a_store_has_a_secret_in_it() {
    let run = Run::start(Carrier::Grpc, false);
    let (trace_id, _, traceparent) = caller();
    let secrets = [
        "Authorization: Bearer secret-of-authorization",
        "Proxy-Authorization: Basic secret-of-the-proxy",
        "Cookie: session=secret-of-the-cookie",
        "X-Api-Key: secret-of-the-key",
        "Referer: http://a/?token=secret-of-the-referer",
    ];
    let mut arguments = vec!["-H", &traceparent, "-d", "secret-of-the-body"];
    arguments.extend(secrets.iter().flat_map(|field| ["-H", field]));
    run.curl(&[], &arguments, "/via/orders?token=secret-of-the-query");
    let spans = trace(&trace_id, 4).text;
    let by_trace = format!("trace_id:=\"{trace_id}\"");
    wait_for_logs(&by_trace, 4);
    let over = run.stop();
    let said = std::fs::read_to_string(state_folder().join("collector.log"))
        .expect("stack.sh keeps the collector's log");
    for (who, answer) in [
        ("Jaeger", &spans),
        ("Jaeger's page", &trace_of_page(&trace_id)),
        ("the log store", &logs_text(&over.records())),
        ("the collector", &said),
        ("headertap", &over.ended.stderr),
    ] {
        assert!(!answer.contains("secret-of"), "{who} has a secret: {answer}");
    }
    assert!(spans.contains("http.request.header.authorization"), "that it was there: {spans}");
    assert!(spans.contains("http.response.header.set-cookie"), "that it was there: {spans}");
}

#[test]
fn no_exchange_is_of_headertaps_or_the_collectors_own_export() {
    let run = Run::start(Carrier::GzipOverHttp, true);
    let (trace_id, _, traceparent) = caller();
    run.curl(&[], &["-H", &traceparent], "/via/items");
    // Once these have arrived, headertap and the collector have both exported, on loopback.
    wait_for_logs(&format!("trace_id:=\"{trace_id}\""), 4);
    let (second, _, traceparent) = caller();
    run.curl(&[], &["-H", &traceparent], "/via/items");
    wait_for_logs(&format!("trace_id:=\"{second}\""), 4);
    let over = run.stop();
    wait_for("the last records to be visible", || {
        let exported = over.ended.account().row("log_records").exported;
        (count(&over.records()) >= exported).then_some(())
    });
    let found = |query: &str| logs_text(&format!("{} ({query})", over.records()));
    let at = |variable, default| {
        let port = port(variable, default);
        format!("\"network.local.port\":=\"{port}\" or \"network.peer.port\":=\"{port}\"")
    };
    for (who, query) in [
        ("headertap -> collector", at("HEADERTAP_OTLP_HTTP_PORT", 4318)),
        ("collector -> Jaeger", at("HEADERTAP_JAEGER_OTLP_PORT", 14317)),
        ("collector -> log store", path("/insert/opentelemetry")),
    ] {
        assert_eq!(found(&query), "", "{who} is reported");
    }
    assert_ne!(
        found(&path("/select/logsql/query")),
        "",
        "this test's own questions were seen on lo"
    );
}

/// Exchanges with this in the path, in the view of either end.
fn path(part: &str) -> String {
    format!("\"url.path\":\"{part}\" or \"url.full\":\"{part}\"")
}
