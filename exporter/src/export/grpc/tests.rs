//! What is told of HTTP/2, and of the gRPC calls that it carries.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::exchange::{Exchange, Failure, Role};
use crate::export::Encoder;
use crate::export::oracle::{get, in_table, log, span, text, texts};
use crate::export::samples::{self, at, fields};
use crate::export::text::Text;
use crate::fields::Fields;
use crate::host::Host;
use crate::http::{ErrorCode, MessageEnd, Version};

/// An exchange of HTTP/2 with these fields.
fn http2(role: Role, path: &str, request: &[(&str, &str)], response: &[(&str, &str)]) -> Exchange {
    let mut exchange = samples::exchange(role);
    exchange.stream_id = Some(5);
    let head = exchange.request.as_mut().expect("the sample has a request");
    head.method = b"POST".to_vec();
    head.target = path.as_bytes().to_vec();
    (head.version, head.fields) = (Version::Http2, fields(request));
    let head = exchange.response.as_mut().expect("the sample has a response");
    (head.version, head.fields) = (Version::Http2, fields(response));
    exchange
}

/// A call that ended with this status.
fn call(role: Role, status: &str) -> Exchange {
    let request = [
        (":scheme", "https"),
        (":authority", "shop.internal:9000"),
        ("content-type", "application/grpc+proto"),
        ("te", "trailers"),
        ("grpc-timeout", "100m"),
        ("user-agent", "grpc-go/1.60"),
        ("x-tenant", "a"),
    ];
    let response = [("content-type", "application/grpc"), ("x-shard", "7")];
    let mut exchange = http2(role, "/shop.Cart/Add", &request, &response);
    let trailers = fields(&[("grpc-status", status), ("x-cost", "3")]);
    exchange.response_end = Some(MessageEnd { trailers, ..end() });
    exchange
}

fn end() -> MessageEnd {
    MessageEnd { body_size: Some(27), trailers: Fields::default(), at: at(12_300) }
}

fn both(exchange: &Exchange) -> (LogRecord, Span) {
    let host = Host {
        name: String::new(),
        id: String::new(),
        arch: String::new(),
        os_type: String::new(),
    };
    let mut records = Vec::new();
    Encoder::new(&host).exchange(exchange, |record| records.push(record));
    let [first, second] = records.as_slice() else { panic!("{} records", records.len()) };
    let (log, span) = (log(first), span(second));
    in_table(&log.attributes);
    in_table(&span.attributes);
    (log, span)
}

#[track_caller]
fn check(exchange: &Exchange, expected: &[(&str, Option<Any>)]) {
    let (_, span) = both(exchange);
    for (key, value) in expected {
        assert_eq!(get(&span.attributes, key), *value, "{key}");
    }
}

#[test]
fn a_call_is_told_by_the_names_of_rpc() {
    let exchange = call(Role::Client, "0");
    check(
        &exchange,
        &[
            ("rpc.system.name", Some(text("grpc"))),
            ("rpc.method", Some(text("shop.Cart/Add"))),
            ("rpc.response.status_code", Some(text("OK"))),
            ("headertap.grpc.timeout", Some(text("100m"))),
            ("rpc.request.metadata.x-tenant", Some(texts(&["a"]))),
            ("rpc.response.metadata.x-shard", Some(texts(&["7"]))),
            ("headertap.http.response.trailer.x-cost", Some(texts(&["3"]))),
            ("http.request.header.x-tenant", None),
            ("http.request.header.te", Some(texts(&["trailers"]))),
            ("http.request.header.grpc-timeout", Some(texts(&["100m"]))),
            ("http.request.header.:authority", Some(texts(&["shop.internal:9000"]))),
            ("url.full", Some(text("https://shop.internal:9000/shop.Cart/Add"))),
            ("server.address", Some(text("shop.internal"))),
            ("server.port", Some(Any::IntValue(9000))),
            ("network.protocol.version", Some(text("2"))),
            ("headertap.http.stream_id", Some(Any::IntValue(5))),
            ("error.type", None),
        ],
    );
    assert_eq!(both(&exchange).1.name, "shop.Cart/Add");
}

#[test]
fn a_call_fails_by_its_status_in_the_eyes_of_each_side() {
    for (role, status, error, severity) in [
        (Role::Client, "0", None, 9),
        (Role::Client, "5", Some("NOT_FOUND"), 13),
        (Role::Client, "14", Some("UNAVAILABLE"), 17),
        (Role::Client, "99", Some("99"), 13),
        (Role::Server, "5", None, 9),
        (Role::Server, "13", Some("INTERNAL"), 17),
        (Role::Server, "what", None, 9),
    ] {
        let exchange = call(role, status);
        let (log, span) = both(&exchange);
        assert_eq!(get(&span.attributes, "error.type"), error.map(text), "{role:?} {status}");
        assert_eq!(span.status.is_some_and(|status| status.code == 2), error.is_some());
        assert_eq!(log.severity_number, severity, "{role:?} {status}");
    }
}

#[test]
fn the_status_may_be_in_a_head_that_is_all_there_is() {
    let request = [("content-type", "application/grpc")];
    let response = [("content-type", "application/grpc"), ("grpc-status", "12")];
    let exchange = http2(Role::Client, "/a.B/C", &request, &response);
    check(&exchange, &[("rpc.response.status_code", Some(text("UNIMPLEMENTED")))]);
    assert_eq!(line(&exchange), "POST /a.B/C 200 UNIMPLEMENTED 12.3ms");
}

#[test]
fn only_grpc_over_http2_is_a_call() {
    let is_call = |exchange: &Exchange| super::Call::of(exchange).is_some();
    for (content_type, expected) in [
        ("application/grpc", true),
        ("application/grpc;charset=utf-8", true),
        ("application/grpc+json", true),
        ("application/grpc-web", false),
        ("application/json", false),
    ] {
        let exchange = http2(Role::Client, "/", &[("content-type", content_type)], &[]);
        assert_eq!(is_call(&exchange), expected, "{content_type}");
    }
    let mut http1 = call(Role::Client, "0");
    http1.request.as_mut().expect("it has a request").version = Version::Http11;
    assert!(!is_call(&http1));
}

/// The body of the log record up to the duration.
fn line(exchange: &Exchange) -> String {
    let body = both(exchange).0.body.and_then(|body| body.value);
    let Some(Any::StringValue(body)) = body else { panic!("a body is text: {body:?}") };
    body.split(" checkout").next().unwrap_or_default().to_owned()
}

#[test]
fn what_is_not_known_is_left_out_and_counted() {
    let mut exchange = http2(Role::Client, "", &[(":scheme", "http")], &[]);
    let request = exchange.request.as_mut().expect("it has a request");
    request.method.clear();
    request.fields.push_unknown();
    exchange.response.as_mut().expect("it has a response").status = 0;
    let mut trailers = Fields::default();
    trailers.push_unknown();
    trailers.push_unknown();
    exchange.response_end = Some(MessageEnd { trailers, body_size: None, ..end() });
    check(
        &exchange,
        &[
            ("http.request.method", None),
            ("http.request.method_original", None),
            ("url.full", None),
            ("headertap.http.request.target", None),
            ("http.response.status_code", None),
            ("http.response.body.size", None),
            ("headertap.http.request.unknown_fields", Some(Any::IntValue(1))),
            ("headertap.http.response.unknown_fields", Some(Any::IntValue(2))),
        ],
    );
    assert_eq!(both(&exchange).1.name, "HTTP");
    assert_eq!(line(&exchange), "- - - 12.3ms");
    let shown = Text { headers: true, colour: false }.exchange(&exchange);
    for part in ["> ? ? HTTP/2\n", "< HTTP/2 ?\n", "* headertap.http.response.unknown_fields 2\n"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}

#[test]
fn a_reset_is_told_with_its_code() {
    let mut exchange = http2(Role::Client, "/", &[], &[]);
    (exchange.response, exchange.response_end) = (None, None);
    for (failure, error) in [
        (Failure::StreamReset(ErrorCode(8)), "stream_reset"),
        (Failure::GoAway(ErrorCode(11)), "goaway"),
    ] {
        exchange.failure = Some(failure);
        let code = failure.error_code().map(|code| text(code.as_str()));
        check(&exchange, &[("error.type", Some(text(error))), ("headertap.http.error_code", code)]);
    }
}

#[test]
fn an_upgraded_request_keeps_its_version_beside_the_responses() {
    let mut exchange = samples::exchange(Role::Client);
    exchange.stream_id = Some(1);
    exchange.response.as_mut().expect("it has a response").version = Version::Http2;
    check(
        &exchange,
        &[
            ("network.protocol.version", Some(text("1.1"))),
            ("headertap.http.response.protocol_version", Some(text("2"))),
        ],
    );
}

#[test]
fn a_password_in_an_authority_is_no_part_of_the_server() {
    let exchange = http2(Role::Client, "/", &[(":authority", "user:pass@shop.internal:81")], &[]);
    check(
        &exchange,
        &[
            ("server.address", Some(text("shop.internal"))),
            ("server.port", Some(Any::IntValue(81))),
            ("url.full", Some(text("http://shop.internal:81/"))),
        ],
    );
}
