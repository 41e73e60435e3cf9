//! Exchanges and connections for tests: one that is easy to read, and random ones.

use std::sync::Arc;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{collection, option};

use crate::connection::{Change, CloseReason, Connection, Totals};
use crate::exchange::{Dropped, Exchange, Failure, Role, SpanContext, View};
use crate::fields::Fields;
use crate::flow::{Endpoint, Timestamp, Tuple};
use crate::http::{
    ErrorCode, HeadTiming, MessageEnd, OTHER_VERSION_MAX_BYTES, Oddities, Request, Response,
    Version,
};
use crate::process::Process;
use crate::tls::{ClientHello, Handshake, ServerHello, Timing};

pub(super) const TRACE_ID: [u8; 16] = [
    0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36,
];
pub(super) const SPAN_ID: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
pub(super) const PARENT_ID: [u8; 8] = [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7];
const START: u64 = 1_750_000_000_123_000_000;

pub(super) fn at(offset_us: u64) -> Timestamp {
    Timestamp(START + offset_us * 1_000)
}

pub(super) fn endpoint(text: &str) -> Endpoint {
    text.parse::<std::net::SocketAddr>().expect("a test names a real endpoint").into()
}

pub(super) fn fields(lines: &[(&str, &str)]) -> Fields {
    lines.iter().copied().collect()
}

pub(super) fn process() -> Arc<Process> {
    Arc::new(Process {
        parent_pid: 1,
        pid: 4242,
        service_name: "checkout".into(),
        service_namespace: "shop".into(),
        service_version: "1.2.3".into(),
        service_instance_id: "9b2c6e0e-6f0e-5d3a-8f63-0d8f4a0d3b11".into(),
        deployment_environment: "test".into(),
        executable_name: "checkout-bin".into(),
        container_id: "c0ffee".repeat(8),
        instrumented: false,
    })
}

pub(super) fn view(role: Role) -> View {
    View {
        role,
        process: process(),
        span: SpanContext {
            trace_id: TRACE_ID,
            span_id: SPAN_ID,
            parent_span_id: PARENT_ID,
            remote_parent: true,
            flags: 1,
            has_span: role != Role::Observer,
            link: None,
        },
        socket_cookie: 77,
        netns_inode: 4_026_531_840,
        connection_id: 0xab,
    }
}

/// A TLS 1.3 handshake.
pub(super) fn handshake(role: Role) -> Handshake {
    let timing = |first, complete| Timing { first_byte: at(first), complete: at(complete) };
    Handshake {
        client: endpoint("10.0.0.5:51234"),
        server: endpoint("10.1.0.9:443"),
        client_hello: Some(ClientHello {
            legacy_version: 0x0303,
            session_id: vec![7; 32],
            cipher_suites: vec![0x1301, 0xfeff],
            extensions: vec![0, 43, 0xfe0d, 0x4469],
            server_name: Some(b"shop.example".to_vec()),
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            supported_versions: vec![0x0a0a, 0x0304, 0x0303],
            supported_groups: vec![4588, 29],
            point_formats: vec![0],
            signature_algorithms: vec![0x0403],
            ja3: Some("1dfbb3c3a0b85ab2ae6b3a2d1e2d0e4c".to_owned()),
            ja4: Some("t13d0204h2_aaaaaaaaaaaa_bbbbbbbbbbbb".to_owned()),
            timing: timing(0, 100),
            ..ClientHello::default()
        }),
        server_hello: Some(ServerHello {
            legacy_version: 0x0303,
            session_id: vec![7; 32],
            cipher_suite: 0x1301,
            extensions: vec![43, 51],
            selected_version: Some(0x0304),
            selected_group: Some(29),
            ja3s: Some("0123456789abcdef0123456789abcdef".to_owned()),
            timing: timing(3_000, 3_200),
            ..ServerHello::default()
        }),
        alert: None,
        failure: None,
        truncated_start: false,
        lists_cut: false,
        observed: at(20_000),
        views: vec![view(role)],
    }
}

/// A `GET` with seven request fields and a `200` with five, as browsers and servers send them.
pub(super) fn exchange(role: Role) -> Exchange {
    Exchange {
        client: endpoint("10.0.0.5:51234"),
        server: endpoint("10.1.0.9:8080"),
        index: 3,
        stream_id: None,
        request: Some(request()),
        request_end: Some(MessageEnd { body_size: Some(0), at: at(10), ..MessageEnd::default() }),
        response: Some(response(200)),
        response_end: Some(MessageEnd {
            body_size: Some(27),
            at: at(12_300),
            ..MessageEnd::default()
        }),
        interim: Vec::new(),
        failure: None,
        duplicate_traceparent: false,
        truncated_start: false,
        observed: at(20_000),
        dropped: Dropped::default(),
        views: vec![view(role)],
    }
}

pub(super) fn request() -> Request {
    Request {
        method: b"GET".to_vec(),
        target: b"/api/items?page=2".to_vec(),
        version: Version::Http11,
        fields: fields(&[
            ("Host", "shop.internal:8080"),
            ("User-Agent", "curl/8.5.0"),
            ("Accept", "text/html"),
            ("accept-language", "en"),
            ("Accept", "application/json"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("tracestate", "vendor=a"),
        ]),
        head_size: 200,
        timing: HeadTiming { first_byte: at(0), complete: at(10) },
        oddities: Oddities::default(),
    }
}

pub(super) fn response(status: u16) -> Response {
    Response {
        status,
        reason: None,
        version: Version::Http11,
        fields: fields(&[
            ("Server", "nginx"),
            ("Date", "Sun, 15 Jun 2025 15:06:40 GMT"),
            ("Content-Type", "application/json"),
            ("Content-Length", "27"),
            ("Connection", "keep-alive"),
        ]),
        head_size: 150,
        timing: HeadTiming { first_byte: at(12_000), complete: at(12_100) },
        oddities: Oddities::default(),
    }
}

pub(super) fn connection(change: Change) -> Connection {
    Connection {
        id: 0xab,
        tuple: Tuple { source: endpoint("10.0.0.5:51234"), destination: endpoint("10.1.0.9:443") },
        role: Role::Client,
        process: process(),
        socket_cookie: 77,
        netns_inode: 4_026_531_840,
        at: at(0),
        observed: at(5),
        change,
    }
}

pub(super) fn close(reason: CloseReason) -> Change {
    Change::Close {
        reason,
        totals: Totals {
            bytes_sent: 12_000,
            bytes_received: 94_000,
            packets_sent: 20,
            packets_received: 80,
            retransmits: 0,
            srtt_us: 150,
            min_rtt_us: 90,
            cwnd: 10,
        },
        duration_ns: Some(1_800_000_000),
    }
}

pub(super) fn any_exchange() -> impl Strategy<Value = Exchange> {
    let head = (option::weighted(0.9, any_request()), option::of(any_end()));
    let answer = (option::weighted(0.9, any_response()), option::of(any_end()));
    let interim = collection::vec(any_response(), 0..3);
    let rest = (any_role(), any_failure(), any::<[bool; 4]>(), any::<(u64, u32, u32, u32)>());
    let ends = (any_endpoint(), any_endpoint());
    (head, answer, interim, rest, ends).prop_map(|(head, answer, interim, rest, ends)| {
        let (role, failure, [duplicate, truncated, both, traced], (index, stream, lost, cut)) =
            rest;
        let mut made = exchange(role);
        (made.request, made.request_end) = head;
        (made.response, made.response_end) = answer;
        (made.client, made.server) = ends;
        (made.interim, made.failure, made.index) = (interim, failure, index);
        (made.duplicate_traceparent, made.truncated_start) = (duplicate, truncated);
        made.stream_id = (stream % 2 == 1).then_some(stream);
        made.dropped = Dropped { request: lost, response: cut };
        if both {
            made.views.push(view(Role::Server));
        }
        if !traced {
            made.views.iter_mut().for_each(|view| view.span = SpanContext::default());
        }
        made
    })
}

fn any_role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server), Just(Role::Observer)]
}

fn any_failure() -> impl Strategy<Value = Option<Failure>> {
    option::of(prop_oneof![
        Just(Failure::ConnectionReset),
        Just(Failure::ConnectionClosed),
        Just(Failure::Unfinished),
        Just(Failure::Gap),
        any::<u32>().prop_map(|code| Failure::StreamReset(ErrorCode(code))),
        any::<u32>().prop_map(|code| Failure::GoAway(ErrorCode(code))),
    ])
}

fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    any::<std::net::SocketAddr>().prop_map(Endpoint::from)
}

/// Names that meet each other, the names that mean something, and names of any bytes.
fn any_fields() -> impl Strategy<Value = Fields> {
    let name = prop_oneof![
        "[A-Ca-c-]{1,2}".prop_map(String::into_bytes),
        prop_oneof!["Host", "Forwarded", "x-forwarded-for", "X-Forwarded-Proto", "user-agent"]
            .prop_map(String::into_bytes),
        collection::vec(any::<u8>(), 1..10),
        "[a-z]{120,150}".prop_map(String::into_bytes),
    ];
    let value = prop_oneof![
        "[ -~]{0,140}".prop_map(String::into_bytes),
        "(for|host|proto)=\"?[a-z0-9:.]{0,9}\"?[;,]?".prop_map(String::into_bytes),
        collection::vec(any::<u8>(), 0..20),
    ];
    collection::vec((name, value), 0..24).prop_map(Fields::from_iter)
}

fn any_timing() -> impl Strategy<Value = HeadTiming> {
    any::<(u64, u64)>().prop_map(|(first, complete)| HeadTiming {
        first_byte: Timestamp(first),
        complete: Timestamp(complete),
    })
}

fn any_oddities() -> impl Strategy<Value = Oddities> {
    any::<[bool; 6]>().prop_map(|[both, length, fold, lf, space, truncated]| Oddities {
        content_length_and_transfer_encoding: both,
        duplicate_content_length: length,
        obs_fold: fold,
        bare_lf: lf,
        space_before_colon: space,
        truncated,
    })
}

fn any_version() -> impl Strategy<Value = Version> {
    prop_oneof![
        Just(Version::Http10),
        Just(Version::Http11),
        Just(Version::Http2),
        any::<[u8; OTHER_VERSION_MAX_BYTES]>().prop_map(Version::Other),
    ]
}

fn any_request() -> impl Strategy<Value = Request> {
    let method = prop_oneof![
        "GET|CONNECT|QUERY".prop_map(String::into_bytes),
        collection::vec(any::<u8>(), 0..20)
    ];
    let target = prop_oneof![
        "(/|\\*|https?://(u:p@)?[a-z:.\\[\\]]{0,9})[a-z/?]{0,300}".prop_map(String::into_bytes),
        collection::vec(any::<u8>(), 0..20),
    ];
    let rest = (any_version(), any_timing(), any_oddities(), any::<u64>());
    (method, target, any_fields(), rest).prop_map(|(method, target, fields, rest)| {
        let (version, timing, oddities, head_size) = rest;
        Request { method, target, version, fields, head_size, timing, oddities }
    })
}

fn any_response() -> impl Strategy<Value = Response> {
    let rest = (any_version(), any_timing(), any_oddities(), any::<u64>());
    let line = (100_u16..1000, option::of(collection::vec(any::<u8>(), 0..20)));
    (line, any_fields(), rest).prop_map(|((status, reason), fields, rest)| {
        let (version, timing, oddities, head_size) = rest;
        Response { status, reason, version, fields, head_size, timing, oddities }
    })
}

fn any_end() -> impl Strategy<Value = MessageEnd> {
    (any::<Option<u64>>(), any_fields(), any::<u64>())
        .prop_map(|(body_size, trailers, at)| MessageEnd { body_size, trailers, at: Timestamp(at) })
}
