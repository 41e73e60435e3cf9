//! What is encoded, read back by `opentelemetry-proto`: the oracle.

mod lookups;
mod tls;

use std::collections::HashSet;

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use proptest::prelude::proptest;
use prost::Message;

use super::attributes::table;
use super::attributes::{MAX_ATTRIBUTES, connection};
use super::oracle::{get, in_table, log, pairs, span, text, texts};
use super::samples::{self, PARENT_ID, SPAN_ID, TRACE_ID, at, close, fields, view};
use super::{Encoder, Record, Signal};
use crate::connection::{Change, CloseReason};
use crate::exchange::{Dropped, Exchange, Failure, Role, SpanContext, SpanLink};
use crate::fields::Fields;
use crate::host::Host;
use crate::stats::Tally;

fn host() -> Host {
    Host {
        name: "node-1".into(),
        id: "0123456789abcdef0123456789abcdef".into(),
        arch: "amd64".into(),
        os_type: "linux".into(),
    }
}

fn records(exchange: &Exchange) -> Vec<Record> {
    let mut records = Vec::new();
    Encoder::new(&host()).exchange(exchange, |record| records.push(record));
    records
}

/// The log record and span of an exchange with one view.
fn both(exchange: &Exchange) -> (LogRecord, Span) {
    match records(exchange).as_slice() {
        [first, second] => (log(first), span(second)),
        other => panic!("{} records", other.len()),
    }
}

fn expected(list: Vec<(&str, Any)>) -> Vec<(String, Any)> {
    list.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn client_attributes() -> Vec<(String, Any)> {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    expected(vec![
        ("http.request.method", text("GET")),
        ("url.full", text("http://shop.internal:8080/api/items?page=2")),
        ("user_agent.original", text("curl/8.5.0")),
        ("http.response.status_code", Any::IntValue(200)),
        ("server.address", text("shop.internal")),
        ("server.port", Any::IntValue(8080)),
        ("network.local.address", text("10.0.0.5")),
        ("network.local.port", Any::IntValue(51234)),
        ("network.peer.address", text("10.1.0.9")),
        ("network.peer.port", Any::IntValue(8080)),
        ("network.transport", text("tcp")),
        ("network.type", text("ipv4")),
        ("network.protocol.name", text("http")),
        ("network.protocol.version", text("1.1")),
        ("http.request.body.size", Any::IntValue(0)),
        ("http.request.size", Any::IntValue(200)),
        ("http.response.body.size", Any::IntValue(27)),
        ("http.response.size", Any::IntValue(177)),
        ("headertap.connection.id", text("00000000000000ab")),
        ("headertap.connection.role", text("client")),
        ("headertap.netns.inode", Any::IntValue(4_026_531_840)),
        ("headertap.socket.cookie", Any::IntValue(77)),
        ("headertap.http.request_index", Any::IntValue(3)),
        ("headertap.http.ttfb_ns", Any::IntValue(12_000_000)),
        ("headertap.http.duration_ns", Any::IntValue(12_300_000)),
        ("http.request.header.host", texts(&["shop.internal:8080"])),
        ("http.request.header.user-agent", texts(&["curl/8.5.0"])),
        ("http.request.header.accept", texts(&["text/html", "application/json"])),
        ("http.request.header.accept-language", texts(&["en"])),
        ("http.request.header.traceparent", texts(&[traceparent])),
        ("http.request.header.tracestate", texts(&["vendor=a"])),
        ("http.response.header.server", texts(&["nginx"])),
        ("http.response.header.date", texts(&["Sun, 15 Jun 2025 15:06:40 GMT"])),
        ("http.response.header.content-type", texts(&["application/json"])),
        ("http.response.header.content-length", texts(&["27"])),
        ("http.response.header.connection", texts(&["keep-alive"])),
    ])
}

#[test]
fn a_log_record_is_what_the_oracle_reads() {
    let (log, _) = both(&samples::exchange(Role::Client));
    let mut attributes = expected(vec![("headertap.event.name", text("headertap.http.exchange"))]);
    attributes.extend(client_attributes());
    assert_eq!(pairs(log.attributes.clone()), attributes);
    let body = "GET /api/items?page=2 200 12.3ms checkout[4242] -> shop.internal:8080";
    let rest = LogRecord {
        time_unix_nano: at(0).0,
        observed_time_unix_nano: at(20_000).0,
        severity_number: 9,
        body: Some(AnyValue { value: Some(text(body)) }),
        flags: 1,
        trace_id: TRACE_ID.to_vec(),
        span_id: SPAN_ID.to_vec(),
        event_name: "headertap.http.exchange".into(),
        ..LogRecord::default()
    };
    assert_eq!(LogRecord { attributes: vec![], ..log }, rest);
}

#[test]
fn a_span_is_what_the_oracle_reads() {
    let (_, span) = both(&samples::exchange(Role::Client));
    assert_eq!(pairs(span.attributes.clone()), client_attributes());
    let rest = Span {
        trace_id: TRACE_ID.to_vec(),
        span_id: SPAN_ID.to_vec(),
        trace_state: "vendor=a".into(),
        parent_span_id: PARENT_ID.to_vec(),
        flags: 0x301,
        name: "GET".into(),
        kind: 3,
        start_time_unix_nano: at(0).0,
        end_time_unix_nano: at(12_300).0,
        ..Span::default()
    };
    assert_eq!(Span { attributes: vec![], ..span }, rest);
}

#[test]
fn a_server_tells_the_parts_of_the_url_and_the_client_behind_the_proxy() {
    let mut exchange = samples::exchange(Role::Server);
    let request = exchange.request.as_mut().expect("the sample has a request");
    request.fields.push(b"X-Forwarded-For", b"203.0.113.7, 10.0.0.1");
    request.fields.push(b"X-Forwarded-Proto", b"https");
    let (log, span) = both(&exchange);
    assert_eq!(span.kind, 2);
    for (key, value) in [
        ("url.scheme", text("https")),
        ("url.path", text("/api/items")),
        ("url.query", text("page=2")),
        ("client.address", text("203.0.113.7")),
        ("network.peer.address", text("10.0.0.5")),
        ("network.local.port", Any::IntValue(8080)),
    ] {
        assert_eq!(get(&log.attributes, key), Some(value), "{key}");
    }
    assert_eq!(get(&log.attributes, "url.full"), None);
    assert_eq!(get(&log.attributes, "client.port"), None);
}

#[test]
fn an_observer_gives_a_log_record_with_both_ends_and_no_span() {
    let exchange = samples::exchange(Role::Observer);
    let records = records(&exchange);
    let [only] = records.as_slice() else { panic!("{} records", records.len()) };
    let attributes = log(only).attributes;
    assert_eq!(get(&attributes, "source.address"), Some(text("10.0.0.5")));
    assert_eq!(get(&attributes, "destination.port"), Some(Any::IntValue(8080)));
    assert_eq!(get(&attributes, "headertap.connection.role"), Some(text("unknown")));
}

#[test]
fn an_exchange_of_two_views_is_counted_once() {
    let mut exchange = samples::exchange(Role::Client);
    exchange.views.push(view(Role::Server));
    let mut tally = Tally::default();
    records(&exchange).iter().for_each(|record| tally.add(record.tally));
    assert_eq!(tally, Tally { http: 1, log_records: 2, spans: 2, ..Tally::default() });
}

/// Status, failure and role; then the log's severity, the span's status code and `error.type`.
#[test]
fn severity_and_status_follow_role_and_outcome() {
    use Role::{Client, Server};
    let reset = Some(Failure::ConnectionReset);
    let cases = [
        (200, None, Client, 9, 0, None),
        (302, None, Server, 9, 0, None),
        (404, None, Client, 13, 2, Some("404")),
        (404, None, Server, 9, 0, None),
        (503, None, Client, 17, 2, Some("503")),
        (503, None, Server, 17, 2, Some("503")),
        (200, reset, Client, 13, 2, Some("connection_reset")),
        (0, Some(Failure::ConnectionClosed), Server, 13, 2, Some("connection_closed")),
        (0, Some(Failure::Gap), Client, 9, 0, None),
        (0, Some(Failure::Unfinished), Server, 9, 0, None),
        (500, reset, Server, 17, 2, Some("500")),
    ];
    for (status, failure, role, severity, code, error) in cases {
        let mut exchange = samples::exchange(role);
        exchange.failure = failure;
        exchange.response = (status != 0).then(|| samples::response(status));
        let (log, span) = both(&exchange);
        let context = format!("{status} {failure:?} {role:?}");
        assert_eq!(log.severity_number, severity, "{context}");
        assert_eq!(span.status.clone().map_or(0, |status| status.code), code, "{context}");
        assert_eq!(get(&log.attributes, "error.type"), error.map(text), "{context}");
        let described = span.status.is_some_and(|status| !status.message.is_empty());
        assert_eq!(described, error.is_some_and(|e| e.starts_with("conn")), "{context}");
    }
}

#[test]
fn an_unknown_method_is_other_and_keeps_its_original() {
    let mut exchange = samples::exchange(Role::Client);
    exchange.request.as_mut().expect("the sample has a request").method = b"BREW".to_vec();
    let (log, span) = both(&exchange);
    assert_eq!(span.name, "HTTP");
    assert_eq!(get(&log.attributes, "http.request.method"), Some(text("_OTHER")));
    assert_eq!(get(&log.attributes, "http.request.method_original"), Some(text("BREW")));
}

#[test]
fn a_view_without_a_span_gives_a_log_record_with_the_ids_of_the_header() {
    let mut exchange = samples::exchange(Role::Server);
    for view in &mut exchange.views {
        view.span.has_span = false;
    }
    let records = records(&exchange);
    let [only] = records.as_slice() else { panic!("{} records", records.len()) };
    assert_eq!(log(only).trace_id, TRACE_ID);
    assert_eq!(log(only).span_id, SPAN_ID);
}

#[test]
fn a_root_has_no_parent_and_no_trace_state_of_another_trace() {
    let mut exchange = samples::exchange(Role::Client);
    let mut span_of = |context| {
        for view in &mut exchange.views {
            view.span = context;
        }
        both(&exchange).1
    };
    let root = SpanContext {
        trace_id: [9; 16],
        span_id: SPAN_ID,
        has_span: true,
        ..SpanContext::default()
    };
    let span = span_of(root);
    assert_eq!(span.parent_span_id, Vec::<u8>::new());
    assert_eq!(span.trace_state, "");
    assert_eq!(span.flags, 0x100);
}

#[test]
fn a_span_whose_parent_was_adopted_too_often_has_a_link_in_its_place() {
    let mut exchange = samples::exchange(Role::Client);
    let link = SpanLink { trace_id: TRACE_ID, span_id: PARENT_ID };
    for view in &mut exchange.views {
        view.span = SpanContext {
            trace_id: [9; 16],
            span_id: SPAN_ID,
            has_span: true,
            link: Some(link),
            ..SpanContext::default()
        };
    }
    let (_, span) = both(&exchange);
    let expected =
        Link { trace_id: TRACE_ID.to_vec(), span_id: PARENT_ID.to_vec(), ..Link::default() };
    assert_eq!(span.links, [expected]);
    assert_eq!((span.trace_id, span.parent_span_id), (vec![9; 16], vec![]));
}

/// What is left of a name depends on how much room the attributes before it leave.
#[test]
fn a_second_view_has_the_header_fields_that_it_has_alone() {
    for lines in [0, 12, 65, 66, 67, 68, 69, 70, 71, 72, 200] {
        let mut exchange = samples::exchange(Role::Client);
        let many: Fields = (0..lines).map(|n| (format!("x-{n}"), "v")).collect();
        exchange.request.as_mut().expect("the sample has a request").fields = many;
        exchange.views = vec![view(Role::Client), view(Role::Server), view(Role::Observer)];
        let together = records(&exchange);
        let mut alone = Vec::new();
        for one in std::mem::take(&mut exchange.views) {
            exchange.views = vec![one];
            alone.extend(records(&exchange));
        }
        let bytes = |records: Vec<Record>| records.into_iter().map(|r| r.bytes).collect::<Vec<_>>();
        assert_eq!(bytes(together), bytes(alone), "{lines} lines");
    }
}

#[test]
fn a_client_that_got_its_answer_before_it_had_sent_all_ends_with_the_answer() {
    let mut exchange = samples::exchange(Role::Client);
    exchange.request_end.as_mut().expect("the sample has an end").at = at(50_000);
    assert_eq!(both(&exchange).1.end_time_unix_nano, at(12_300).0);
}

#[test]
fn attributes_beyond_the_cap_are_counted_with_what_policy_took() {
    let many: Fields = (0..200).map(|n| (format!("x-{n}"), "v")).collect();
    let mut exchange = samples::exchange(Role::Client);
    exchange.dropped = Dropped { request: 5, response: 7 };
    exchange.request.as_mut().expect("the sample has a request").fields = many;
    let (log, span) = both(&exchange);
    assert_eq!(log.attributes.len(), MAX_ATTRIBUTES);
    let written = span.attributes.iter().filter(|kv| kv.key.contains(".header.")).count();
    let lines = 200 + 5;
    let dropped = u32::try_from(lines - written).expect("a small number") + 12;
    assert_eq!((log.dropped_attributes_count, span.dropped_attributes_count), (dropped, dropped));
}

#[test]
fn a_field_of_many_lines_is_one_attribute_whatever_the_case_of_its_name() {
    let mut exchange = samples::exchange(Role::Client);
    let response = exchange.response.as_mut().expect("the sample has a response");
    response.fields =
        fields(&[("Set-Cookie", "a"), ("X", "1"), ("set-cookie", "b"), ("SET-COOKIE", "")]);
    let (log, _) = both(&exchange);
    let cookies = get(&log.attributes, "http.response.header.set-cookie");
    assert_eq!(cookies, Some(texts(&["a", "b", ""])));
    assert_eq!(get(&log.attributes, "http.response.header.x"), Some(texts(&["1"])));
}

#[test]
fn a_size_is_told_only_where_head_and_body_are_all_there_was() {
    let size = |te: &str, dropped| {
        let mut exchange = samples::exchange(Role::Client);
        exchange.response.as_mut().expect("the sample has a response").fields =
            fields(&[(te, "chunked")]);
        exchange.dropped.response = dropped;
        get(&both(&exchange).0.attributes, "http.response.size")
    };
    assert_eq!(size("Transfer-Encoding", 0), None);
    assert_eq!(size("x", 1), None, "what policy took may have been the Transfer-Encoding");
    assert_eq!(size("x", 0), Some(Any::IntValue(177)));
}

#[test]
fn trailers_and_interim_responses_are_told_under_our_own_names() {
    let mut exchange = samples::exchange(Role::Client);
    let end = exchange.response_end.as_mut().expect("the sample has an end");
    end.trailers = fields(&[("Grpc-Status", "0")]);
    let mut hints = samples::response(103);
    hints.fields = fields(&[("Link", "</a.css>")]);
    exchange.interim = vec![samples::response(100), hints.clone(), hints];
    let (log, _) = both(&exchange);
    let attribute = |key| get(&log.attributes, key);
    assert_eq!(attribute("headertap.http.response.trailer.grpc-status"), Some(texts(&["0"])));
    assert_eq!(
        attribute("headertap.http.interim.header.link"),
        Some(texts(&["</a.css>", "</a.css>"]))
    );
    let Some(Any::ArrayValue(codes)) = attribute("headertap.http.interim_status") else {
        panic!("the codes are an array")
    };
    let codes: Vec<_> = codes.values.into_iter().filter_map(|any| any.value).collect();
    assert_eq!(codes, [100, 103, 103].map(Any::IntValue));
}

/// The change; then the event's name, its severity, `error.type` and the body.
#[test]
fn each_change_of_a_connection_is_its_own_event() {
    let ends = "checkout[4242] 10.0.0.5:51234 -> 10.1.0.9:443";
    let sums = "1.8s tx=12.0KB rx=94.0KB";
    let reset = "connection_reset";
    let cases = [
        (Change::Open, "open", 9, None, format!("open {ends} tcp")),
        (close(CloseReason::Fin), "close", 9, None, format!("close {ends} {sums} fin retrans=0")),
        (
            close(CloseReason::RstReceived),
            "close",
            13,
            Some(reset),
            format!("close {ends} {sums} rst_received retrans=0"),
        ),
        (
            Change::Failed("connection_refused"),
            "failed",
            13,
            Some("connection_refused"),
            format!("failed {ends} connection_refused"),
        ),
    ];
    for (change, name, severity, error, body) in cases {
        let record = Encoder::new(&host()).connection(&samples::connection(change));
        assert_eq!(record.tally, Tally { connections: 1, log_records: 1, ..Tally::default() });
        let log = log(&record);
        assert_eq!(log.event_name, format!("headertap.connection.{name}"));
        assert_eq!(log.severity_number, severity, "{name}");
        assert_eq!(get(&log.attributes, "error.type"), error.map(text), "{name}");
        assert_eq!(log.body.and_then(|any| any.value), Some(text(&body)));
        in_table(&log.attributes);
    }
}

#[test]
fn a_resource_tells_process_and_host_and_leaves_out_what_is_unknown() {
    let resource = |record: &Record| {
        let bytes: &[u8] = &record.resource;
        pairs(Resource::decode(bytes).expect("a resource decodes").attributes)
    };
    let known = records(&samples::exchange(Role::Client));
    let known = resource(known.first().expect("a log record"));
    let names: Vec<_> = known.iter().map(|(key, _)| key.as_str()).collect();
    let all: Vec<_> = table::RESOURCE.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, all);
    assert!(known.contains(&("process.pid".into(), Any::IntValue(4242))));

    let mut exchange = samples::exchange(Role::Observer);
    for view in &mut exchange.views {
        view.process = std::sync::Arc::default();
    }
    let unknown = records(&exchange);
    let unknown = resource(unknown.first().expect("a log record"));
    assert_eq!(unknown.first(), Some(&("service.name".into(), text("unknown_service"))));
    assert!(!unknown.iter().any(|(key, _)| key.starts_with("process.")), "{unknown:?}");
}

/// Deprecated names, whole or, with a final dot, as a prefix.
const DEPRECATED: &[&str] = &[
    "net.",
    "http.method",
    "http.status_code",
    "http.scheme",
    "http.url",
    "http.target",
    "http.host",
    "http.flavor",
    "http.user_agent",
    "http.client_ip",
    "http.request_content_length",
    "http.response_content_length",
    "peer.service",
    "tls.client.server_name",
    "container.runtime",
    "container.labels",
    "deployment.environment",
    "rpc.system",
    "rpc.service",
    "rpc.grpc.status_code",
    "rpc.grpc.request.metadata",
    "event.name",
    "message.",
    "process.context_switch_type",
    "otel.library.",
    "system.network.state",
];

#[test]
fn the_table_has_no_name_twice_and_none_that_is_deprecated() {
    let names: Vec<_> =
        table::RESOURCE.iter().chain(table::RECORD).map(|(name, _)| *name).collect();
    let different: HashSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len());
    for name in names {
        let bad = DEPRECATED
            .iter()
            .find(|old| name == **old || (old.ends_with('.') && name.starts_with(**old)));
        assert_eq!(bad, None, "{name}");
    }
}

#[test]
fn a_connection_visited_twice_says_the_same() {
    let made = samples::connection(close(CloseReason::Fin));
    let visit = || {
        let mut seen = Vec::new();
        connection(&made, &mut |key, value| seen.push(format!("{key}={value:?}")));
        seen
    };
    assert_eq!(visit(), visit());
    assert!(visit().contains(&"headertap.connection.close_reason=Str(\"fin\")".to_owned()));
}

proptest! {
    /// Whatever the traffic was, what is encoded decodes, is in the table, and encodes again to
    /// the same bytes as the oracle's own encoder writes.
    #[test]
    fn every_exchange_is_a_valid_record(exchange in samples::any_exchange()) {
        for record in records(&exchange) {
            match record.signal {
                Signal::Logs => {
                    let log = log(&record);
                    in_table(&log.attributes);
                    assert!(log.attributes.len() <= MAX_ATTRIBUTES);
                    assert_eq!(log.encoded_len(), record.bytes.len());
                }
                Signal::Traces => {
                    let span = span(&record);
                    in_table(&span.attributes);
                    assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
                    assert_eq!(span.encoded_len(), record.bytes.len());
                }
            }
        }
    }
}
