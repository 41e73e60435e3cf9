//! What is read from frames, whole, cut, joined late and broken.

mod late;
mod odd;

use proptest::prelude::*;

use super::samples::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, GET_AGAIN, GOAWAY, HEADERS, OK, OK_AGAIN,
    PADDED, PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, STATUS, WINDOW_UPDATE,
    WITH_PRIORITY, frame,
};
use super::*;
use crate::fields::Fields;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines(fields: &Fields) -> String {
    let known = fields.iter().map(|(name, value)| format!(" {}={}", text(name), text(value)));
    known.collect::<String>() + &" ?".repeat(usize::try_from(fields.unknown()).expect("few"))
}

/// A part as short text: `STREAM METHOD TARGET fields`, `STREAM STATUS fields`,
/// `STREAM trailers fields`, each with `.` at the end of a message.
fn short(part: &Part) -> String {
    let end = |end: &bool| if *end { "." } else { "" };
    match part {
        Part::Promise { promised, block } => {
            let request = block.clone().into_request();
            format!("{promised} promised {}{}", text(&request.target), lines(&request.fields))
        }
        Part::Block { stream, block, end_stream } if block.status().is_some() => {
            let response = block.clone().into_response();
            format!("{stream} {}{}{}", response.status, lines(&response.fields), end(end_stream))
        }
        Part::Block { stream, block, end_stream } if block.start() == Start::Pseudo => {
            let request = block.clone().into_request();
            let line = format!("{} {}", text(&request.method), text(&request.target));
            format!("{stream} {line}{}{}", lines(&request.fields), end(end_stream))
        }
        Part::Block { stream, block, end_stream } => {
            let trailers = block.clone().into_trailers();
            format!("{stream} trailers{}{}", lines(&trailers), end(end_stream))
        }
        Part::Data { stream, len, end_stream } => format!("{stream} data {len}{}", end(end_stream)),
        Part::Reset { stream, code } => format!("{stream} reset {}", code.as_str()),
        Part::GoAway { last_stream, code } => format!("go away {last_stream} {}", code.as_str()),
        Part::Malformed(what) => format!("malformed {what:?}"),
    }
}

/// Everything that `frames` gives for `chunks`; second: whether it is still HTTP/2.
fn read_all(frames: &mut Frames, chunks: &[&[u8]]) -> (Vec<Part>, bool) {
    let mut parts = Vec::new();
    for (at, chunk) in (0..).map(Timestamp).zip(chunks) {
        let mut rest = *chunk;
        loop {
            match frames.read(&mut rest, at) {
                Parsed::Message(part) => parts.push(part),
                Parsed::NeedMore => break assert!(rest.is_empty(), "bytes are left: {rest:?}"),
                Parsed::NotThisProtocol => return (parts, false),
            }
        }
    }
    (parts, true)
}

fn short_all(frames: &mut Frames, chunks: &[&[u8]]) -> Vec<String> {
    read_all(frames, chunks).0.iter().map(short).collect()
}

/// What a client sends that asks twice, once with content in two frames, and resets one.
fn client_bytes() -> Vec<u8> {
    [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
        frame(WINDOW_UPDATE, 0, 0, &[0, 1, 0, 0]),
        frame(HEADERS, END_HEADERS, 1, GET),
        frame(DATA, 0, 1, b"hello"),
        frame(SETTINGS, 1, 0, b""),
        frame(DATA, END_STREAM, 1, b" world"),
        frame(HEADERS, END_HEADERS | END_STREAM, 3, GET_AGAIN),
        frame(RST_STREAM, 0, 3, &[0, 0, 0, 8]),
        frame(PING, 0, 0, &[7; 8]),
        frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\0why"),
    ]
    .concat()
}

const CLIENT_PARTS: &[&str] = &[
    "1 GET / :scheme=http :authority=www.example.com",
    "1 data 5",
    "1 data 6.",
    "3 GET / :scheme=http :authority=www.example.com.",
    "3 reset CANCEL",
    "go away 0 NO_ERROR",
];

/// What a server answers, with a promise, padding, priority and trailers in two fragments.
fn server_bytes() -> Vec<u8> {
    let padded = [&[3][..], b"hello", &[0; 3]].concat();
    let prioritised = [&[2, 0, 0, 0, 0, 16][..], OK_AGAIN, &[0; 2]].concat();
    [
        frame(SETTINGS, 0, 0, b""),
        frame(HEADERS, END_HEADERS, 1, OK),
        frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], b"\x82\x86\x85"].concat()),
        frame(PRIORITY, 0, 1, &[0; 5]),
        frame(DATA, PADDED, 1, &padded),
        frame(HEADERS, END_STREAM, 1, &STATUS[..3]),
        frame(CONTINUATION, 0, 1, b""),
        frame(CONTINUATION, END_HEADERS, 1, &STATUS[3..]),
        frame(HEADERS, END_HEADERS | PADDED | WITH_PRIORITY, 2, &[&prioritised[..]].concat()),
        frame(DATA, END_STREAM, 2, b""),
        frame(0xbb, 0xff, 77, b"grease"),
    ]
    .concat()
}

const SERVER_PARTS: &[&str] = &[
    "1 200 server=nginx",
    "2 promised /index.html :scheme=http",
    "1 data 5",
    "1 trailers grpc-status=0.",
    "2 200 grpc-status=0",
    "2 data 0.",
];

#[test]
fn frames_of_both_sides_are_read() {
    let client = short_all(&mut Frames::new(Side::Client), &[&client_bytes()]);
    assert_eq!(client, CLIENT_PARTS);
    let server = short_all(&mut Frames::new(Side::Server), &[&server_bytes()]);
    assert_eq!(server, SERVER_PARTS);
}

#[test]
fn a_head_has_its_wire_size_and_the_times_of_its_first_and_last_byte() {
    let head = [
        frame(SETTINGS, 0, 0, b""),
        frame(HEADERS, END_STREAM, 1, &OK[..3]),
        frame(CONTINUATION, END_HEADERS, 1, &OK[3..]),
    ]
    .concat();
    let chunks: Vec<&[u8]> = head.chunks(1).collect();
    let (parts, _) = read_all(&mut Frames::new(Side::Server), &chunks);
    let [Part::Block { block, .. }] = parts.as_slice() else { panic!("one block: {parts:?}") };
    let response = block.clone().into_response();
    assert_eq!(response.head_size, 9 + 9 + 8);
    assert_eq!(response.timing, HeadTiming { first_byte: Timestamp(9), complete: Timestamp(34) });
}

/// Parts without their times, which are the only thing a split may change.
fn timeless(parts: &[Part]) -> Vec<String> {
    parts.iter().map(short).collect()
}

proptest! {
    #[test]
    fn no_split_changes_what_is_read(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        for (side, bytes, expected) in [
            (Side::Client, client_bytes(), CLIENT_PARTS),
            (Side::Server, server_bytes(), SERVER_PARTS),
        ] {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let (parts, is_http2) = read_all(&mut Frames::new(side), &chunks);
            prop_assert!(is_http2);
            prop_assert_eq!(timeless(&parts), expected);
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_keep_more_than_its_caps(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 1..8),
        begun in any::<bool>(),
    ) {
        for side in [Side::Client, Side::Server] {
            let mut frames = if begun { Frames::new(side) } else { Frames::joined(side) };
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let (_, is_http2) = read_all(&mut frames, &chunks);
            prop_assert!(is_http2 || begun);
            prop_assert!(frames.cost() <= 3 * BLOCK_MAX_BYTES);
        }
    }
}

#[test]
fn every_prefix_gives_the_first_parts_and_needs_more() {
    for (side, bytes, expected) in
        [(Side::Client, client_bytes(), CLIENT_PARTS), (Side::Server, server_bytes(), SERVER_PARTS)]
    {
        for cut in 0..bytes.len() {
            let (parts, is_http2) = read_all(&mut Frames::new(side), &[&bytes[..cut]]);
            assert!(is_http2, "cut at {cut}");
            assert!(
                expected
                    .starts_with(&timeless(&parts).iter().map(String::as_str).collect::<Vec<_>>()),
                "cut at {cut}"
            );
        }
    }
}

#[test]
fn other_protocols_are_told_apart_at_once() {
    for (side, bytes) in [
        (Side::Client, &b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"[..]),
        (Side::Client, b"GET / HTTP/1.1\r\n"),
        (Side::Server, b"HTTP/1.1 400 Bad Request\r\n"),
        (Side::Server, b"\0\0\0\x01\x04\0\0\0\x01"),
    ] {
        assert_eq!(read_all(&mut Frames::new(side), &[bytes]), (Vec::new(), false), "{bytes:?}");
    }
}
