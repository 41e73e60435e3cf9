//! Values from W3C Trace Context level 2, the B3 and the Jaeger formats, and wrong ones beside them.

use std::net::SocketAddr;

use super::*;

const TRACE: [u8; 16] = [
    0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c,
];
const SPAN: [u8; 8] = [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31];
const SAMPLED_PARENT: TraceParent = TraceParent { trace_id: TRACE, parent_id: SPAN, flags: 1 };

fn fields(lines: &[(&str, &str)]) -> Fields {
    lines.iter().copied().collect()
}

fn endpoint(text: &str) -> Endpoint {
    text.parse::<SocketAddr>().expect("the test writes a socket address").into()
}

#[test]
fn a_traceparent_of_version_00_is_read() {
    let value = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(TraceParent::parse(value), Some(SAMPLED_PARENT));
}

#[test]
fn a_higher_version_may_be_longer_but_only_after_a_dash() {
    let value = b"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".as_slice();
    assert_eq!(TraceParent::parse(value), Some(SAMPLED_PARENT));
    let longer = [value, b"-what-the-future-will-be-like"].concat();
    assert_eq!(TraceParent::parse(&longer), Some(SAMPLED_PARENT));
    assert_eq!(TraceParent::parse(&[value, b"."].concat()), None);
}

#[test]
fn unknown_flags_are_kept() {
    let value = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe";
    assert_eq!(TraceParent::parse(value).map(|parent| parent.flags), Some(0xfe));
}

#[test]
fn a_traceparent_that_breaks_the_format_is_refused() {
    for value in [
        "",
        "00",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "0X-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
        "00-0af7651916cd43dd8448eb211c80319cb7ad6b7169203331---01",
        "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
        "0-00af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        assert_eq!(TraceParent::parse(value.as_bytes()), None, "{value}");
    }
}

#[test]
fn every_prefix_of_a_traceparent_is_refused() {
    let value = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for cut in 0..value.len() {
        assert_eq!(TraceParent::parse(&value[..cut]), None, "cut at {cut}");
    }
}

#[test]
fn the_first_known_field_wins_and_its_name_has_no_case() {
    let lines = [
        ("uber-trace-id", "1:2:0:1"),
        ("X-B3-TraceId", "3"),
        ("X-B3-SpanId", "4"),
        ("B3", "5-6-1"),
        ("TraceParent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    let ids = |lines| match from_fields(&fields(lines)) {
        Found::One(parent) => parent.trace_id.last().copied(),
        _ => None,
    };
    assert_eq!(ids(&lines), Some(0x9c));
    assert_eq!(ids(&lines[..4]), Some(5));
    assert_eq!(ids(&lines[..3]), Some(3));
    assert_eq!(ids(&lines[..1]), Some(1));
    assert_eq!(from_fields(&fields(&[("host", "a")])), Found::None);
}

#[test]
fn two_traceparent_lines_are_a_duplicate_even_if_they_are_the_same() {
    let line = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(from_fields(&fields(&[line])), Found::One(SAMPLED_PARENT));
    assert_eq!(from_fields(&fields(&[line, line])), Found::Duplicate);
}

#[test]
fn an_invalid_traceparent_is_not_replaced_by_another_field() {
    let lines = [("traceparent", "00-nonsense"), ("b3", "5-6-1")];
    assert_eq!(from_fields(&fields(&lines)), Found::Invalid);
}

#[test]
fn b3_carries_ids_of_64_or_128_bits_and_a_decision() {
    let flags = |value| match from_fields(&fields(&[("b3", value)])) {
        Found::One(TraceParent { flags, .. }) => Some(flags),
        _ => None,
    };
    let long = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1-05e3ac9a4f6e3b90";
    assert_eq!(from_fields(&fields(&[("b3", long)])), Found::One(SAMPLED_PARENT));
    assert_eq!(flags("e457b5a2e4d86bd1-b7ad6b7169203331-0"), Some(0));
    assert_eq!(flags("e457b5a2e4d86bd1-b7ad6b7169203331-d"), Some(1));
    assert_eq!(flags("e457b5a2e4d86bd1-b7ad6b7169203331"), Some(1));
    assert_eq!(from_fields(&fields(&[("b3", "0")])), Found::None);
    assert_eq!(from_fields(&fields(&[("b3", "x")])), Found::Invalid);
    assert_eq!(from_fields(&fields(&[("b3", "0-0-1")])), Found::Invalid);
}

#[test]
fn a_trace_id_of_64_bits_is_padded_on_the_left() {
    let lines = [
        ("x-b3-traceid", "463ac35c9f6413ad"),
        ("x-b3-spanid", "a2fb4a1d1a96d312"),
        ("x-b3-sampled", "0"),
    ];
    let expected = TraceParent {
        trace_id: [0, 0, 0, 0, 0, 0, 0, 0, 0x46, 0x3a, 0xc3, 0x5c, 0x9f, 0x64, 0x13, 0xad],
        parent_id: [0xa2, 0xfb, 0x4a, 0x1d, 0x1a, 0x96, 0xd3, 0x12],
        flags: 0,
    };
    assert_eq!(from_fields(&fields(&lines)), Found::One(expected));
    assert_eq!(from_fields(&fields(&lines[..1])), Found::None, "without a span there is no caller");
}

#[test]
fn uber_trace_id_may_be_percent_encoded_and_lack_leading_zeros() {
    let expected = TraceParent {
        trace_id: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0xbc],
        parent_id: [0, 0, 0, 0, 0, 0, 0, 0x2f],
        flags: 1,
    };
    for value in ["abc:2f:0:3", "abc%3A2f%3a0%3A1"] {
        let found = from_fields(&fields(&[("uber-trace-id", value)]));
        assert_eq!(found, Found::One(expected), "{value}");
    }
    for value in ["abc:2f:0", "0:2f:0:1", "abc:0:0:1", "abc:2f:0:", "\u{e9}:2f:0:1"] {
        let found = from_fields(&fields(&[("uber-trace-id", value)]));
        assert_eq!(found, Found::Invalid, "{value}");
    }
}

#[test]
fn a_span_id_is_the_same_for_the_same_exchange_and_another_for_any_other() {
    let (a, b) = (endpoint("10.0.0.1:40000"), endpoint("10.0.0.2:80"));
    let id = |role, trace: &[u8; 16], parent: &[u8; 8], client, server, index| {
        derive_span_id(role, trace, parent, client, server, index)
    };
    let first = id(b'c', &TRACE, &SPAN, &a, &b, 0);
    assert_eq!(first, id(b'c', &TRACE, &SPAN, &a, &b, 0));
    let others = [
        id(b's', &TRACE, &SPAN, &a, &b, 0),
        id(b'c', &[1; 16], &SPAN, &a, &b, 0),
        id(b'c', &TRACE, &[1; 8], &a, &b, 0),
        id(b'c', &TRACE, &SPAN, &b, &a, 0),
        id(b'c', &TRACE, &SPAN, &a, &endpoint("10.0.0.2:81"), 0),
        id(b'c', &TRACE, &SPAN, &a, &b, 1),
    ];
    assert!(others.iter().all(|other| *other != first), "{first:?} {others:?}");
}

/// Pins the form that is hashed: agents of different versions must agree on it.
#[test]
fn a_span_id_is_the_start_of_a_sha_256_over_fixed_fields() {
    let (a, b) = (endpoint("10.0.0.1:40000"), endpoint("[2001:db8::2]:80"));
    let mut bytes = vec![b'c'];
    bytes.extend_from_slice(&TRACE);
    bytes.extend_from_slice(&SPAN);
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1]);
    bytes.extend_from_slice(&[0x9c, 0x40]);
    bytes.extend_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    bytes.extend_from_slice(&[0, 80]);
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 7]);
    let hash = Sha256::digest(&bytes);
    assert_eq!(derive_span_id(b'c', &TRACE, &SPAN, &a, &b, 7), hash[..8]);
}

#[test]
fn a_trace_id_differs_by_seed_connection_and_index() {
    let (a, b) = (endpoint("10.0.0.1:40000"), endpoint("10.0.0.2:80"));
    let first = derive_trace_id(&[7; 16], &a, &b, Timestamp(1), 0);
    assert_eq!(first, derive_trace_id(&[7; 16], &a, &b, Timestamp(1), 0));
    let others = [
        derive_trace_id(&[8; 16], &a, &b, Timestamp(1), 0),
        derive_trace_id(&[7; 16], &b, &a, Timestamp(1), 0),
        derive_trace_id(&[7; 16], &a, &b, Timestamp(2), 0),
        derive_trace_id(&[7; 16], &a, &b, Timestamp(1), 1),
    ];
    assert!(others.iter().all(|other| *other != first), "{first:?} {others:?}");
}

#[test]
fn an_id_of_zeros_is_never_given() {
    assert_eq!(non_zero([0; 8]), [1; 8]);
    assert_eq!(non_zero([0, 0, 0, 0, 0, 0, 0, 2]), [0, 0, 0, 0, 0, 0, 0, 2]);
}
