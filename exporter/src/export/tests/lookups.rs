//! Records of DNS lookups.

use proptest::prelude::{any, proptest};

use super::{Encoder, at, get, host, in_table, log, samples, text, texts, view};
use crate::dns::{
    Edns, Extent, Failure, Flags, Lookup, Message, Protocol, Question, Record, Transport,
};
use crate::exchange::{self, Role};
use crate::export::oracle::pairs;
use crate::export::text::Text;
use crate::stats::Tally;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;

const RD: u16 = 0x0100;
const RESPONSE: u16 = 0x8180;

fn answer(name: &str, rtype: u16, ttl: u32, data: &str) -> Record {
    Record { name: name.into(), rtype, class: 1, ttl, data: data.into(), ..Record::default() }
}

fn query() -> Message {
    let question =
        Question { name: "www.example.com".into(), rtype: 1, class: 1, wants_unicast: false };
    Message {
        at: at(0),
        id: 4660,
        flags: Flags(RD),
        counts: [1, 0, 0, 1],
        questions: vec![question],
        edns: Some(Edns { udp_size: 1232, options: vec![10, 65001], ..Edns::default() }),
        size: 56,
        ..Message::default()
    }
}

fn response(rcode: u16) -> Message {
    let answers = vec![
        answer("www.example.com", 5, 300, "edge.example.net"),
        answer("edge.example.net", 1, 20, "192.0.2.1"),
        answer("edge.example.net", 1, 20, "192.0.2.2"),
        answer("edge.example.net", 46, 20, "A 13 3 20 ..."),
    ];
    Message {
        at: at(12_300),
        flags: Flags(RESPONSE | rcode),
        counts: [1, 4, 0, 1],
        answers,
        edns: Some(Edns { udp_size: 512, dnssec_ok: true, errors: vec![18], ..Edns::default() }),
        size: 120,
        ..query()
    }
}

fn lookup(role: Role) -> Lookup {
    Lookup {
        client: samples::endpoint("10.0.0.5:51234"),
        server: samples::endpoint("10.0.0.2:53"),
        protocol: Protocol::Dns,
        transport: Transport::Udp,
        query: Some(query()),
        response: Some(response(0)),
        failure: None,
        is_repeated: false,
        observed: at(20_000),
        views: vec![view(role)],
    }
}

fn records(lookup: &Lookup) -> Vec<(LogRecord, Tally)> {
    let mut records = Vec::new();
    Encoder::new(&host()).lookup(lookup, |record| records.push((log(&record), record.tally)));
    records
}

fn record(lookup: &Lookup) -> LogRecord {
    let [(record, _)] = <[_; 1]>::try_from(records(lookup)).expect("one view gives one record");
    record
}

fn ints(values: &[i64]) -> Any {
    let values = values.iter().map(|it| AnyValue { value: Some(Any::IntValue(*it)) }).collect();
    Any::ArrayValue(ArrayValue { values })
}

#[test]
fn a_lookup_tells_every_element_of_both_headers() {
    let record = record(&lookup(Role::Client));
    assert_eq!(record.event_name, "headertap.dns.lookup");
    let body = record.body.and_then(|body| body.value);
    let line = "A www.example.com NOERROR edge.example.net 192.0.2.1 192.0.2.2 +1 12.3ms \
                checkout[4242] -> 10.0.0.2:53 dns/udp";
    assert_eq!(body, Some(text(line)));
    in_table(&record.attributes);
    let int = Any::IntValue;
    let expected = [
        ("headertap.event.name", text("headertap.dns.lookup")),
        ("client.address", text("10.0.0.5")),
        ("client.port", int(51234)),
        ("server.address", text("10.0.0.2")),
        ("server.port", int(53)),
        ("network.local.address", text("10.0.0.5")),
        ("network.local.port", int(51234)),
        ("network.peer.address", text("10.0.0.2")),
        ("network.peer.port", int(53)),
        ("network.transport", text("udp")),
        ("network.type", text("ipv4")),
        ("network.protocol.name", text("dns")),
        ("headertap.dns.id", int(4660)),
        ("headertap.dns.opcode", text("QUERY")),
        ("headertap.dns.flags", texts(&["qr", "rd", "ra"])),
        ("headertap.dns.counts", ints(&[1, 4, 0, 1])),
        ("headertap.dns.size", int(120)),
        ("headertap.dns.response.code", text("NOERROR")),
        ("dns.question.name", text("www.example.com")),
        ("headertap.dns.question.type", text("A")),
        ("headertap.dns.question.class", text("IN")),
        ("dns.answers", texts(&["192.0.2.1", "192.0.2.2"])),
        (
            "headertap.dns.answer.names",
            texts(&["www.example.com", "edge.example.net", "edge.example.net", "edge.example.net"]),
        ),
        ("headertap.dns.answer.types", texts(&["CNAME", "A", "A", "RRSIG"])),
        ("headertap.dns.answer.ttls", ints(&[300, 20, 20, 20])),
        (
            "headertap.dns.answer.data",
            texts(&["edge.example.net", "192.0.2.1", "192.0.2.2", "A 13 3 20 ..."]),
        ),
        ("headertap.dns.answer.ttl_min", int(20)),
        ("headertap.dns.query.flags", texts(&["rd"])),
        ("headertap.dns.query.counts", ints(&[1, 0, 0, 1])),
        ("headertap.dns.query.size", int(56)),
        ("headertap.dns.query.edns.udp_size", int(1232)),
        ("headertap.dns.query.edns.version", int(0)),
        ("headertap.dns.query.edns.options", texts(&["COOKIE", "OPTION65001"])),
        ("headertap.dns.response.edns.udp_size", int(512)),
        ("headertap.dns.response.edns.version", int(0)),
        ("headertap.dns.response.edns.dnssec_ok", Any::BoolValue(true)),
        ("headertap.dns.response.edns.errors", ints(&[18])),
        ("headertap.dns.duration_ns", int(12_300_000)),
        ("headertap.connection.id", text("00000000000000ab")),
        ("headertap.connection.role", text("client")),
        ("headertap.netns.inode", int(4_026_531_840)),
        ("headertap.socket.cookie", int(77)),
    ];
    let told = pairs(record.attributes);
    let told: Vec<_> = told.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    assert_eq!(told, expected);
}

#[test]
fn what_is_out_of_the_ordinary_is_told_only_then() {
    let mut lookup = lookup(Role::Observer);
    lookup.protocol = Protocol::Mdns;
    lookup.is_repeated = true;
    let second = Question { name: "b.local".into(), rtype: 28, class: 255, wants_unicast: true };
    lookup.query.as_mut().expect("the sample has a query").questions.push(second);
    let response = lookup.response.as_mut().expect("the sample has a response");
    response.questions[0].name = "WWW.example.com".into();
    response.answers[1].flushes_cache = true;
    response.answers[2].class = 3;
    response.extent = Extent::Malformed;
    response.flags = Flags(RESPONSE | 0x0600);
    let record = record(&lookup);
    in_table(&record.attributes);
    for (key, value) in [
        ("source.address", text("10.0.0.5")),
        ("destination.port", Any::IntValue(53)),
        ("network.protocol.name", text("mdns")),
        ("headertap.dns.flags", texts(&["qr", "aa", "tc", "rd", "ra"])),
        ("headertap.dns.question.names", texts(&["www.example.com", "b.local"])),
        ("headertap.dns.question.types", texts(&["A", "AAAA"])),
        ("headertap.dns.question.classes", texts(&["IN", "ANY"])),
        ("headertap.dns.question.unicast_response", ints(&[0, 1])),
        ("headertap.dns.response.question_name", text("WWW.example.com")),
        ("headertap.dns.answer.cache_flush", ints(&[0, 1, 0, 0])),
        ("headertap.dns.answer.classes", texts(&["IN", "IN", "CH", "IN"])),
        ("dns.answers", texts(&["192.0.2.1"])),
        ("headertap.dns.truncated", Any::BoolValue(true)),
        ("headertap.dns.malformed", Any::BoolValue(true)),
        ("headertap.dns.repeated", Any::BoolValue(true)),
    ] {
        assert_eq!(get(&record.attributes, key), Some(value), "{key}");
    }
}

/// What the response says, or why there is none; then the severity, `error.type`, what is
/// incomplete and what the line says of it.
#[test]
fn severity_and_error_tell_failures() {
    let connection = |failure| Some(Failure::Connection(failure));
    let cases = [
        (Some(0), None, 9, None, None, "NOERROR"),
        (Some(2), None, 17, Some("SERVFAIL"), None, "SERVFAIL"),
        (Some(3), None, 9, Some("NXDOMAIN"), None, "NXDOMAIN"),
        (Some(5), None, 13, Some("REFUSED"), None, "REFUSED"),
        (None, Some(Failure::Timeout), 13, Some("timeout"), None, "timeout"),
        (
            None,
            connection(exchange::Failure::ConnectionReset),
            13,
            Some("connection_reset"),
            None,
            "connection_reset",
        ),
        (None, connection(exchange::Failure::Gap), 9, None, Some("gap"), "gap"),
        (
            None,
            connection(exchange::Failure::Unfinished),
            9,
            None,
            Some("unfinished"),
            "unfinished",
        ),
        (None, None, 9, None, None, "-"),
    ];
    for (rcode, failure, severity, error, incomplete, word) in cases {
        let mut lookup = lookup(Role::Client);
        lookup.response = rcode.map(response);
        lookup.failure = failure;
        let record = record(&lookup);
        assert_eq!(record.severity_number, severity, "{word}");
        assert_eq!(get(&record.attributes, "error.type"), error.map(text), "{word}");
        let told = get(&record.attributes, "headertap.dns.incomplete");
        assert_eq!(told, incomplete.map(text), "{word}");
        let body = format!("{:?}", record.body);
        assert!(body.contains(&format!("A www.example.com {word} ")), "{body}");
    }
}

#[test]
fn each_view_has_a_record_and_the_lookup_is_counted_once() {
    let mut lookup = lookup(Role::Client);
    lookup.views.push(view(Role::Server));
    let tallies: Vec<Tally> = records(&lookup).into_iter().map(|(_, tally)| tally).collect();
    let first = Tally { dns: 1, log_records: 1, ..Tally::default() };
    assert_eq!(tallies, [first, Tally { dns: 0, ..first }]);
}

#[test]
fn people_read_a_line_in_the_columns_of_an_exchange_and_the_answers() {
    let mut failed = lookup(Role::Server);
    failed.response = None;
    failed.failure = Some(Failure::Timeout);
    let text = Text { headers: true, colour: false };
    let expected = "\
15:06:40.123 -> checkout[4242]       dns     NOERROR   12.3ms A www.example.com to 10.0.0.2:53
    < www.example.com 300 CNAME edge.example.net
    < edge.example.net 20 A 192.0.2.1
    < edge.example.net 20 A 192.0.2.2
    < edge.example.net 20 RRSIG A 13 3 20 ...
15:06:40.123 <- checkout[4242]       dns     timeout          A www.example.com from 10.0.0.5:51234
";
    assert_eq!([lookup(Role::Client), failed].map(|it| text.lookup(&it)).concat(), expected);
}

proptest! {
    /// Whatever the messages say, the record is one.
    #[test]
    fn every_lookup_is_a_valid_record(
        numbers in any::<[u16; 6]>(), name in ".{0,40}", questions in 0_usize..3, answers in 0_usize..3,
        has_query in any::<bool>(), has_response in any::<bool>(),
    ) {
        let [id, flags, rtype, class, code, count] = numbers;
        let question = Question { name: name.clone(), rtype, class, wants_unicast: id % 2 == 0 };
        let message = Message {
            id,
            flags: Flags(flags),
            counts: [count; 4],
            questions: vec![question; questions],
            answers: vec![answer(&name, rtype, 7, &name); answers],
            edns: Some(Edns { options: vec![code], errors: vec![code], ..Edns::default() }),
            ..Message::default()
        };
        let mut lookup = lookup(Role::Observer);
        lookup.query = has_query.then(|| message.clone());
        lookup.response = has_response.then_some(message);
        in_table(&record(&lookup).attributes);
        let told = Text { headers: true, colour: false }.lookup(&lookup);
        assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "{told:?}");
    }
}
