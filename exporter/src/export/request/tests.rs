//! Requests read back by `opentelemetry-proto`, and as JSON.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::{any, proptest};
use prost::Message;

use super::assemble;
use crate::exchange::{Exchange, Role};
use crate::export::{Encoder, Record, SCHEMA_URL, Signal, json, samples};
use crate::host::Host;
use crate::process::Process;
use crate::stats::Tally;

/// The records of one signal that these exchanges give.
fn records(exchanges: &[Exchange], signal: Signal) -> Vec<Record> {
    let mut encoder = Encoder::new(&Host::default());
    let mut records = Vec::new();
    for exchange in exchanges {
        encoder.exchange(exchange, |record| records.push(record));
    }
    records.retain(|record| record.signal == signal);
    records
}

/// An exchange of the process with this pid.
fn of_pid(pid: u32) -> Exchange {
    let mut exchange = samples::exchange(Role::Client);
    for view in &mut exchange.views {
        view.process = Arc::new(Process { pid, ..Process::default() });
    }
    exchange
}

fn logs(request: &[u8]) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest::decode(request).expect("a request of logs decodes")
}

fn traces(request: &[u8]) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(request).expect("a request of spans decodes")
}

#[test]
fn records_are_grouped_by_resource_in_order() {
    let exchanges: Vec<_> = [7, 8, 7].map(of_pid).into();
    let request = logs(&assemble(Signal::Logs, &records(&exchanges, Signal::Logs)));
    let counts: Vec<_> = request
        .resource_logs
        .iter()
        .flat_map(|group| group.scope_logs.iter().map(|scope| scope.log_records.len()))
        .collect();
    assert_eq!(counts, [2, 1]);
    for group in &request.resource_logs {
        assert_eq!(group.schema_url, SCHEMA_URL);
        for scope in &group.scope_logs {
            assert_eq!(scope.schema_url, SCHEMA_URL);
            let name = scope.scope.as_ref().map(|scope| scope.name.as_str());
            assert_eq!(name, Some("headertap"));
        }
    }
}

#[test]
fn spans_have_a_request_of_the_same_shape() {
    let records = records(&[of_pid(1)], Signal::Traces);
    let request = traces(&assemble(Signal::Traces, &records));
    let names: Vec<_> = request
        .resource_spans
        .iter()
        .flat_map(|group| &group.scope_spans)
        .flat_map(|scope| scope.spans.iter().map(|span| span.name.as_str()))
        .collect();
    assert_eq!(names, ["GET"]);
}

#[test]
fn no_records_are_an_empty_request() {
    assert_eq!(assemble(Signal::Logs, &[]), Vec::<u8>::new());
}

#[test]
fn json_says_only_what_is_not_the_default() {
    let mut exchange = of_pid(7);
    exchange.dropped.request = 2;
    let request = assemble(Signal::Traces, &records(&[exchange], Signal::Traces));
    let line = json::line(Signal::Traces, &request).expect("the request is one");
    for part in [
        r#""traceId":"4bf92f3577b34da6a3ce929d0e0e4736""#,
        r#""parentSpanId":"00f067aa0ba902b7""#,
        r#""startTimeUnixNano":"1750000000123000000""#,
        r#"{"key":"http.response.status_code","value":{"intValue":"200"}}"#,
        r#"{"key":"http.request.body.size","value":{"intValue":"0"}}"#,
        r#""value":{"arrayValue":{"values":[{"stringValue":"en"}]}}"#,
        r#""droppedAttributesCount":2"#,
        r#""kind":3"#,
        r#""flags":769"#,
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    for part in ["null", "[]", "severityText", "\"events\"", "\"status\"", "\n"] {
        assert!(!line.contains(part), "{part} is in {line}");
    }
}

#[test]
fn what_is_not_a_request_is_no_json() {
    assert!(json::line(Signal::Logs, b"\x0a\xff").is_err());
}

proptest! {
    #[test]
    fn a_request_has_the_size_that_was_measured_before_it_was_written(
        sizes in proptest::collection::vec((0_u8..4, 0_usize..20_000), 0..12),
    ) {
        let record = |(resource, length)| Record {
            signal: Signal::Logs,
            resource: vec![resource; usize::from(resource) * 60].into(),
            bytes: vec![0; length],
            tally: Tally::default(),
        };
        let records: Vec<_> = sizes.into_iter().map(record).collect();
        let request = assemble(Signal::Logs, &records);
        assert_eq!(request.len(), request.capacity());
    }

    #[test]
    fn json_says_the_same_as_the_request(
        exchanges in proptest::collection::vec(samples::any_exchange(), 0..3),
        spans in any::<bool>(),
    ) {
        let signal = if spans { Signal::Traces } else { Signal::Logs };
        let request = assemble(signal, &records(&exchanges, signal));
        let line = json::line(signal, &request).expect("the request is one");
        let why = "the mapping reads what it wrote";
        match signal {
            Signal::Logs => assert_eq!(
                serde_json::from_str::<ExportLogsServiceRequest>(&line).expect(why),
                logs(&request)
            ),
            Signal::Traces => assert_eq!(
                serde_json::from_str::<ExportTraceServiceRequest>(&line).expect(why),
                traces(&request)
            ),
        }
    }
}
