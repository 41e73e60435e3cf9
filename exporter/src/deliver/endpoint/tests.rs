//! The variables of the specification, each with what it must give.

use super::{Compression, Endpoint, Endpoints, Error, Protocol};
use std::time::Duration;

/// Variables without their common prefix, and their values.
type Variables<'a> = &'a [(&'a str, &'a str)];

fn parse(variables: Variables<'_>) -> Result<Endpoints, Error> {
    let prefix = |name: &str| format!("OTEL_EXPORTER_OTLP_{name}");
    Endpoints::from_variables(|asked| {
        let found = variables.iter().find(|(name, _)| prefix(name) == asked);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn logs(variables: Variables<'_>) -> Endpoint {
    parse(variables).expect("the variables are allowed").logs
}

#[test]
fn without_variables_the_defaults_are_the_specifications() {
    let logs = logs(&[]);
    assert_eq!(logs.url, "http://localhost:4318/v1/logs");
    assert_eq!((logs.protocol, logs.compression), (Protocol::HttpProtobuf, Compression::None));
    assert_eq!((logs.timeout, logs.certificate), (Duration::from_secs(10), None));
    assert_eq!(logs.headers, []);
}

#[test]
fn the_url_and_protocol_follow_the_path_and_port_rules() {
    let (grpc, http) = (Protocol::Grpc, Protocol::HttpProtobuf);
    let rows: [(Variables<'_>, Protocol, &str); 13] = [
        (&[("ENDPOINT", "http://c:4318")], http, "http://c:4318/v1/logs"),
        (&[("ENDPOINT", "http://c:4318/")], http, "http://c:4318/v1/logs"),
        (&[("ENDPOINT", "https://c/otlp")], http, "https://c/otlp/v1/logs"),
        (&[("ENDPOINT", "https://c/otlp/")], http, "https://c/otlp/v1/logs"),
        (&[("LOGS_ENDPOINT", "http://c:4318")], http, "http://c:4318/"),
        (&[("LOGS_ENDPOINT", "http://c/my/logs")], http, "http://c/my/logs"),
        (&[("ENDPOINT", "http://c:4317")], grpc, "http://c:4317/"),
        (&[("ENDPOINT", "http://c:9"), ("PROTOCOL", "grpc")], grpc, "http://c:9/"),
        (&[("PROTOCOL", "grpc")], grpc, "http://localhost:4317/"),
        (&[("ENDPOINT", "c:4317"), ("PROTOCOL", "grpc")], grpc, "https://c:4317/"),
        (
            &[("ENDPOINT", "c:4317"), ("PROTOCOL", "grpc"), ("INSECURE", "TRUE")],
            grpc,
            "http://c:4317/",
        ),
        (
            &[("ENDPOINT", "http://c:4317"), ("LOGS_PROTOCOL", "http/protobuf")],
            http,
            "http://c:4317/v1/logs",
        ),
        (&[("ENDPOINT", ""), ("LOGS_ENDPOINT", " ")], http, "http://localhost:4318/v1/logs"),
    ];
    for (variables, protocol, url) in rows {
        let logs = logs(variables);
        assert_eq!(
            (logs.protocol, logs.url.to_string().as_str()),
            (protocol, url),
            "{variables:?}"
        );
    }
}

#[test]
fn a_signals_own_variable_wins_and_only_for_that_signal() {
    let endpoints = parse(&[
        ("ENDPOINT", "http://all:4318"),
        ("TRACES_ENDPOINT", "http://traces:4317"),
        ("TIMEOUT", "2500"),
        ("TRACES_TIMEOUT", "100"),
        ("COMPRESSION", "gzip"),
        ("TRACES_COMPRESSION", "none"),
        ("CERTIFICATE", "/ca.pem"),
        ("TRACES_CERTIFICATE", "/traces.pem"),
    ])
    .expect("the variables are allowed");
    let (logs, traces) = (endpoints.logs, endpoints.traces);
    assert_eq!(logs.url, "http://all:4318/v1/logs");
    assert_eq!(endpoints.metrics.url, "http://all:4318/v1/metrics");
    assert_eq!((traces.url.host(), traces.protocol), (Some("traces"), Protocol::Grpc));
    let ms = |endpoint: &Endpoint| endpoint.timeout.as_millis();
    assert_eq!((ms(&logs), ms(&traces)), (2500, 100));
    assert_eq!((logs.compression, traces.compression), (Compression::Gzip, Compression::None));
    assert_eq!(traces.certificate.as_deref(), Some("/traces.pem".as_ref()));
}

#[test]
fn headers_are_percent_decoded_and_never_printed() {
    let logs = logs(&[("HEADERS", "api-key=s%20cret, X-Scope-OrgID = 7 ,")]);
    let seen: Vec<_> =
        logs.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(seen, [("api-key", &b"s cret"[..]), ("x-scope-orgid", b"7")]);
    let printed = format!("{logs:?}");
    assert!(printed.contains("api-key") && !printed.contains("cret"), "{printed}");
}

#[test]
fn a_value_that_is_not_allowed_is_refused_by_name() {
    let rows = [
        ("PROTOCOL", "http/json", "must be grpc or http/protobuf"),
        ("LOGS_PROTOCOL", "GRPC", "must be grpc or http/protobuf"),
        ("ENDPOINT", "collector:4318", "must be a URL"),
        ("ENDPOINT", "ftp://collector", "must be a URL"),
        ("ENDPOINT", "http://", "must be a URL"),
        ("ENDPOINT", "http://c/?a=b", "must not have a query"),
        ("TIMEOUT", "10s", "milliseconds"),
        ("TIMEOUT", "0", "milliseconds"),
        ("COMPRESSION", "zstd", "must be gzip or none"),
        ("HEADERS", "secret", "name=value"),
        ("HEADERS", "bad name=x", "name=value"),
    ];
    for (name, value, allowed) in rows {
        let error = parse(&[(name, value)]).expect_err(value);
        let said = error.to_string();
        assert_eq!(error.variable, format!("OTEL_EXPORTER_OTLP_{name}"));
        assert!(said.contains(allowed), "{said}");
        assert_eq!(said.contains(value), name != "HEADERS", "{said}");
    }
}

#[test]
fn insecure_must_be_true_or_false() {
    let error = parse(&[("ENDPOINT", "c:1"), ("PROTOCOL", "grpc"), ("INSECURE", "1")]);
    assert_eq!(error.expect_err("1 is no boolean").allowed, "must be true or false");
}
