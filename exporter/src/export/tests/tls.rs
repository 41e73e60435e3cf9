//! Handshakes.

use super::{Encoder, host};
use crate::exchange::{Failure, Role, View};
use crate::export::Record;
use crate::export::attributes::MAX_ATTRIBUTES;
use crate::export::oracle::{get, in_table, log, pairs, text, texts};
use crate::export::samples::{at, handshake, view};
use crate::flow::Side;
use crate::stats::Tally;
use crate::tls::{Alert, ClientHello, Handshake, ServerHello, extension};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::prelude::{Strategy, any, proptest};
use proptest::{collection, option};

fn records(handshake: &Handshake) -> Vec<Record> {
    let mut records = Vec::new();
    Encoder::new(&host()).handshake(handshake, |record| records.push(record));
    records
}

fn one(handshake: &Handshake) -> LogRecord {
    match records(handshake).as_slice() {
        [record] => log(record),
        other => panic!("{} records", other.len()),
    }
}

fn ints(numbers: &[i64]) -> Any {
    let values = numbers.iter().map(|n| AnyValue { value: Some(Any::IntValue(*n)) }).collect();
    Any::ArrayValue(ArrayValue { values })
}

fn expected() -> Vec<(&'static str, Any)> {
    vec![
        ("headertap.event.name", text("headertap.tls.handshake")),
        ("server.address", text("shop.example")),
        ("server.port", Any::IntValue(443)),
        ("network.local.address", text("10.0.0.5")),
        ("network.local.port", Any::IntValue(51234)),
        ("network.peer.address", text("10.1.0.9")),
        ("network.peer.port", Any::IntValue(443)),
        ("network.transport", text("tcp")),
        ("network.type", text("ipv4")),
        ("network.protocol.name", text("tls")),
        ("headertap.connection.id", text("00000000000000ab")),
        ("headertap.connection.role", text("client")),
        ("headertap.netns.inode", Any::IntValue(4_026_531_840)),
        ("headertap.socket.cookie", Any::IntValue(77)),
        ("headertap.tls.duration_ns", Any::IntValue(3_100_000)),
        ("headertap.tls.client.legacy_version", text("TLSv1.2")),
        ("headertap.tls.client.supported_versions", texts(&["0x0A0A", "TLSv1.3", "TLSv1.2"])),
        ("tls.client.supported_ciphers", texts(&["TLS_AES_128_GCM_SHA256", "0xFEFF"])),
        (
            "headertap.tls.client.extensions",
            texts(&["server_name", "supported_versions", "encrypted_client_hello", "0x4469"]),
        ),
        ("headertap.tls.client.supported_groups", texts(&["X25519MLKEM768", "x25519"])),
        ("headertap.tls.client.point_formats", ints(&[0])),
        ("headertap.tls.client.signature_algorithms", texts(&["ecdsa_secp256r1_sha256"])),
        ("headertap.tls.client.alpn", texts(&["h2", "http/1.1"])),
        ("tls.client.ja3", text("1dfbb3c3a0b85ab2ae6b3a2d1e2d0e4c")),
        ("headertap.tls.client.ja4", text("t13d0204h2_aaaaaaaaaaaa_bbbbbbbbbbbb")),
        ("headertap.tls.client.ech", Any::BoolValue(true)),
        ("tls.protocol.name", text("tls")),
        ("tls.protocol.version", text("1.3")),
        ("network.protocol.version", text("1.3")),
        ("tls.cipher", text("TLS_AES_128_GCM_SHA256")),
        ("tls.curve", text("x25519")),
        ("headertap.tls.server.legacy_version", text("TLSv1.2")),
        ("headertap.tls.server.selected_version", text("TLSv1.3")),
        ("headertap.tls.server.extensions", texts(&["supported_versions", "key_share"])),
        ("tls.server.ja3s", text("0123456789abcdef0123456789abcdef")),
        ("tls.resumed", Any::BoolValue(false)),
    ]
}

#[test]
fn a_handshake_is_what_the_oracle_reads() {
    let log = one(&handshake(Role::Client));
    let told: Vec<_> = expected().into_iter().map(|(key, v)| (key.to_owned(), v)).collect();
    assert_eq!(pairs(log.attributes.clone()), told);
    let body = "TLS 1.3 3.1ms checkout[4242] -> shop.example:443 TLS_AES_128_GCM_SHA256 \
                t13d0204h2_aaaaaaaaaaaa_bbbbbbbbbbbb";
    let rest = LogRecord {
        time_unix_nano: at(0).0,
        observed_time_unix_nano: at(20_000).0,
        severity_number: 9,
        body: Some(AnyValue { value: Some(text(body)) }),
        event_name: "headertap.tls.handshake".into(),
        ..LogRecord::default()
    };
    assert_eq!(LogRecord { attributes: vec![], ..log }, rest);
}

#[test]
fn a_handshake_that_an_alert_ended_is_a_warning() {
    let alert = Alert { sender: Side::Server, level: 2, description: 40, at: at(3_100) };
    let log = one(&Handshake { server_hello: None, alert: Some(alert), ..handshake(Role::Server) });
    assert_eq!(log.severity_number, 13);
    for (key, value) in [
        ("error.type", "tls_alert_handshake_failure"),
        ("headertap.tls.alert.level", "fatal"),
        ("headertap.tls.alert.description", "handshake_failure"),
        ("headertap.tls.alert.sender", "server"),
        ("client.address", "10.0.0.5"),
    ] {
        assert_eq!(get(&log.attributes, key), Some(text(value)), "{key}");
    }
    assert_eq!(get(&log.attributes, "tls.cipher"), None);
    let body = "TLS handshake_failure 3.0ms checkout[4242] <- 10.0.0.5:51234 shop.example:443 \
                t13d0204h2_aaaaaaaaaaaa_bbbbbbbbbbbb";
    assert_eq!(log.body.and_then(|body| body.value), Some(text(body)));
}

#[test]
fn a_warning_before_the_answer_is_told_and_is_no_failure() {
    let alert = Alert { sender: Side::Server, level: 1, description: 112, at: at(3_000) };
    let log = one(&Handshake { alert: Some(alert), ..handshake(Role::Client) });
    assert_eq!((log.severity_number, get(&log.attributes, "error.type")), (9, None));
    let told = get(&log.attributes, "headertap.tls.alert.description");
    assert_eq!(told, Some(text("unrecognized_name")));
}

#[test]
fn what_was_not_seen_is_nobodys_failure() {
    for (failure, reason, incomplete, severity) in [
        (Failure::ConnectionReset, Some("connection_reset"), None, 13),
        (Failure::ProtocolError, Some("protocol_error"), None, 13),
        (Failure::Gap, None, Some("gap"), 9),
        (Failure::Unfinished, None, Some("unfinished"), 9),
    ] {
        let failed =
            Handshake { server_hello: None, failure: Some(failure), ..handshake(Role::Client) };
        let log = one(&failed);
        assert_eq!(log.severity_number, severity, "{failure:?}");
        assert_eq!(get(&log.attributes, "error.type"), reason.map(text), "{failure:?}");
        let told = get(&log.attributes, "headertap.tls.incomplete");
        assert_eq!(told, incomplete.map(text), "{failure:?}");
    }
}

#[test]
fn a_server_that_is_not_named_is_its_address_unless_the_client_meant_to_name_it() {
    let mut unnamed = handshake(Role::Client);
    let hello = unnamed.client_hello.as_mut().expect("the sample has one");
    hello.server_name = None;
    assert_eq!(get(&one(&unnamed).attributes, "server.address"), None);
    let hello = unnamed.client_hello.as_mut().expect("the sample has one");
    hello.extensions.retain(|kind| *kind != extension::SERVER_NAME);
    assert_eq!(get(&one(&unnamed).attributes, "server.address"), Some(text("10.1.0.9")));
}

#[test]
fn a_handshake_of_two_views_is_counted_once_and_makes_no_span() {
    let mut both = handshake(Role::Client);
    both.views.push(View { span: both.views[0].span, ..view(Role::Server) });
    let records = records(&both);
    let mut tally = Tally::default();
    records.iter().for_each(|record| tally.add(record.tally));
    assert_eq!(tally, Tally { tls: 1, log_records: 2, ..Tally::default() });
}

fn any_client_hello() -> impl Strategy<Value = ClientHello> {
    let numbers = || collection::vec(any::<u16>(), 0..40);
    let bytes = || collection::vec(any::<u8>(), 0..20);
    let lists = (numbers(), numbers(), numbers(), numbers(), numbers());
    let names = (option::of(bytes()), collection::vec(bytes(), 0..4), bytes());
    (any::<u16>(), lists, names).prop_map(|(legacy_version, lists, names)| {
        let (server_name, alpn, session_id) = names;
        ClientHello {
            legacy_version,
            session_id,
            cipher_suites: lists.0,
            extensions: lists.1,
            server_name,
            alpn,
            supported_versions: lists.2,
            supported_groups: lists.3,
            signature_algorithms: lists.4,
            ..ClientHello::default()
        }
    })
}

fn any_server_hello() -> impl Strategy<Value = ServerHello> {
    let numbers = collection::vec(any::<u16>(), 0..10);
    let protocol = option::of(collection::vec(any::<u8>(), 0..20));
    let chosen = (any::<u16>(), any::<u16>(), option::of(any::<u16>()), option::of(any::<u16>()));
    (chosen, numbers, protocol).prop_map(|(chosen, extensions, alpn)| ServerHello {
        legacy_version: chosen.0,
        cipher_suite: chosen.1,
        selected_version: chosen.2,
        selected_group: chosen.3,
        extensions,
        alpn,
        ..ServerHello::default()
    })
}

proptest! {
    #[test]
    fn every_handshake_is_a_valid_record(
        client_hello in option::of(any_client_hello()),
        server_hello in option::of(any_server_hello()),
        alert in option::of((any::<u8>(), any::<u8>())),
    ) {
        let alert = alert.map(|(level, description)| {
            Alert { sender: Side::Client, level, description, at: at(1) }
        });
        for role in [Role::Client, Role::Server, Role::Observer] {
            let handshake = Handshake {
                client_hello: client_hello.clone(),
                server_hello: server_hello.clone(),
                alert,
                ..handshake(role)
            };
            let log = one(&handshake);
            in_table(&log.attributes);
            assert!(log.attributes.len() <= MAX_ATTRIBUTES);
        }
    }
}
