//! What is read from well-formed, odd and hostile HTTP/1, whole and cut.

mod gaps;
mod model;
mod oddities;

use proptest::prelude::*;

use super::*;

/// Everything a stream gives for `chunks`, the n-th captured at time n; responses answer
/// `methods` in turn, then GET. Second: whether the stream is still HTTP/1.
fn read_all(stream: &mut Stream, chunks: &[&[u8]], methods: &[&str]) -> (Vec<Part>, bool) {
    let mut parts = Vec::new();
    let mut methods = methods.iter();
    for (at, chunk) in (0..).map(Timestamp).zip(chunks) {
        let mut rest = *chunk;
        loop {
            match stream.read(&mut rest, at) {
                Parsed::Message(part) => {
                    if matches!(&part, Part::Response(response) if response.status >= 200) {
                        stream.answers(methods.next().map(|method| method.as_bytes()));
                    }
                    parts.push(part);
                }
                Parsed::NeedMore => break assert!(rest.is_empty(), "bytes are left: {rest:?}"),
                Parsed::NotThisProtocol => return (parts, false),
            }
        }
    }
    (parts, true)
}

/// The parts of `bytes` in one chunk.
fn parts(side: Side, bytes: &[u8], methods: &[&str]) -> Vec<Part> {
    read_all(&mut Stream::new(side), &[bytes], methods).0
}

/// Parts as short text: `METHOD target`, status, `end SIZE` with trailers, `malformed`.
fn short(parts: &[Part]) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let of = |part: &Part| match part {
        Part::Request(request) => format!("{} {}", text(&request.method), text(&request.target)),
        Part::Response(response) => response.status.to_string(),
        Part::End(MessageEnd { body_size, trailers, .. }) => {
            let trailers =
                trailers.iter().map(|(name, value)| format!(" {}={}", text(name), text(value)));
            let size = body_size.expect("HTTP/1 counts all content");
            format!("end {size}{}", trailers.collect::<String>())
        }
        Part::Malformed(what) => format!("malformed {what:?}"),
    };
    parts.iter().map(of).collect()
}

fn fields_of(part: &Part) -> Vec<(String, String)> {
    let fields = match part {
        Part::Request(request) => &request.fields,
        Part::Response(response) => &response.fields,
        Part::End(end) => &end.trailers,
        Part::Malformed(_) => return Vec::new(),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    fields.iter().map(|(name, value)| (text(name), text(value))).collect()
}

/// Parts without their times, which are the only thing a split may change.
fn timeless(mut parts: Vec<Part>) -> Vec<Part> {
    for part in &mut parts {
        match part {
            Part::Request(request) => request.timing = HeadTiming::default(),
            Part::Response(response) => response.timing = HeadTiming::default(),
            Part::End(end) => end.at = Timestamp::default(),
            Part::Malformed(_) => {}
        }
    }
    parts
}

const REQUESTS: &[u8] = b"GET /a?b=c HTTP/1.1\r\nHost: one\r\nX-Two:  2 \r\nx-two:\r\n\r\n\
    \r\nPOST * HTTP/1.0\nContent-Length: 4\n\nbodyPUT /c HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\
    X-Fold: a\r\n\t b\r\n\r\n5;x=\"y\"\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX-Sum: 9\r\n\r\n\
    M-SEARCH http://a/ HTTP/1.1\r\n\r\n";

const RESPONSES: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 200 OK\r\n\
    Content-Length: 3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nabcHTTP/1.1 204\r\n\r\nHTTP/1.1 200 OK\r\n\
    Content-Length: 999\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 \r\n\
    transfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n00\r\n\r\nHTTP/1.0 500 Oh \xff\r\n\r\nuntil close";

const METHODS: &[&str] = &["GET", "DELETE", "HEAD"];

#[test]
fn pipelined_requests_in_one_chunk_are_read_in_order() {
    let parts = parts(Side::Client, REQUESTS, &[]);
    let expected = [
        "GET /a?b=c",
        "end 0",
        "POST *",
        "end 4",
        "PUT /c",
        "end 31 X-Sum=9",
        "M-SEARCH http://a/",
        "end 0",
    ];
    assert_eq!(short(&parts), expected);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(fields_of(&parts[0]), [pair("Host", "one"), pair("X-Two", "2"), pair("x-two", "")]);
    assert_eq!(fields_of(&parts[4]).last(), Some(&pair("X-Fold", "a b")));
}

#[test]
fn responses_are_framed_by_status_method_and_fields() {
    let parts = parts(Side::Server, RESPONSES, METHODS);
    let expected = [
        "103", "200", "end 3", "204", "end 0", "200", "end 0", "304", "end 0", "200", "end 3",
        "500",
    ];
    assert_eq!(short(&parts), expected);
    let cookies: Vec<_> =
        fields_of(&parts[1]).into_iter().skip(1).map(|(_, value)| value).collect();
    assert_eq!(cookies, ["a", "b"]);
}

#[test]
fn sizes_versions_and_times_are_those_of_the_wire() {
    let chunks: [&[u8]; 4] = [b"\r\nPOST / HTT", b"P/1.0\r\nContent-Length: 2\r\n", b"\r\n1", b"2"];
    let (parts, _) = read_all(&mut Stream::new(Side::Client), &chunks, &[]);
    let [Part::Request(request), Part::End(end)] = parts.as_slice() else {
        panic!("not one message: {parts:?}");
    };
    assert_eq!((request.version.as_str(), request.head_size), ("1.0", 38));
    let (first_byte, complete) = (Timestamp(0), Timestamp(2));
    assert_eq!(request.timing, HeadTiming { first_byte, complete });
    assert_eq!(end.at, Timestamp(3));
}

#[test]
fn an_end_without_content_has_the_time_of_the_heads_last_byte() {
    let mut stream = Stream::new(Side::Client);
    let mut chunk: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
    assert!(matches!(stream.read(&mut chunk, Timestamp(5)), Parsed::Message(Part::Request(_))));
    let Parsed::Message(Part::End(end)) = stream.read(&mut chunk, Timestamp(9)) else {
        panic!("a request without content ends with its head");
    };
    assert_eq!(end.at, Timestamp(5));
}

#[test]
fn every_prefix_gives_a_prefix_of_the_parts() {
    for (side, bytes, methods) in
        [(Side::Client, REQUESTS, [].as_slice()), (Side::Server, RESPONSES, METHODS)]
    {
        let whole = parts(side, bytes, methods);
        for cut in 0..bytes.len() {
            let (part, http) = read_all(&mut Stream::new(side), &[&bytes[..cut]], methods);
            assert!(http && whole.starts_with(&part), "cut at {cut}: {:?}", short(&part));
        }
    }
}

#[test]
fn every_split_in_two_and_byte_by_byte_give_the_same_parts() {
    for (side, bytes, methods) in
        [(Side::Client, REQUESTS, [].as_slice()), (Side::Server, RESPONSES, METHODS)]
    {
        let whole = timeless(parts(side, bytes, methods));
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            let (split, _) = read_all(&mut Stream::new(side), &[first, second], methods);
            assert_eq!(timeless(split), whole, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let (split, _) = read_all(&mut Stream::new(side), &single, methods);
        assert_eq!(timeless(split), whole, "byte by byte");
    }
}

#[test]
fn a_connection_that_changes_protocol_is_upgraded_and_its_bytes_are_left() {
    for (head, method) in [
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "GET"),
        ("HTTP/1.1 200 Connection established\r\nContent-Length: 9\r\n\r\n", "CONNECT"),
    ] {
        let bytes = [head.as_bytes(), b"\x81\x05hello"].concat();
        let mut stream = Stream::new(Side::Server);
        let (parts, http) = read_all(&mut stream, &[&bytes], &[method]);
        assert_eq!((parts.len(), http, stream.is_upgraded()), (1, false, true), "{head}");
        let mut rest: &[u8] = b"more";
        assert_eq!(stream.read(&mut rest, Timestamp(0)), Parsed::NotThisProtocol);
        assert_eq!((rest, stream.finish(Timestamp(0))), (b"more".as_slice(), None));
    }
}

#[test]
fn a_refused_connect_is_an_ordinary_response() {
    let bytes = b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\n\r\n";
    assert_eq!(
        short(&parts(Side::Server, bytes, &["CONNECT", "CONNECT"])),
        ["407", "end 2", "200"]
    );
}

#[test]
fn content_until_close_ends_with_the_connection_and_other_content_does_not() {
    let finish = |bytes: &[u8]| {
        let mut stream = Stream::new(Side::Server);
        read_all(&mut stream, &[bytes], &[]);
        stream.finish(Timestamp(7)).map(|end| (end.body_size.expect("nothing was lost"), end.at))
    };
    assert_eq!(finish(b"HTTP/1.0 200 OK\r\n\r\nabc"), Some((3, Timestamp(7))));
    assert_eq!(finish(b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nabc"), None);
    assert_eq!(finish(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), None);
    assert_eq!(finish(b"HTTP/1.1 200 OK\r\nContent-Len"), None);
}

#[test]
fn only_content_is_skippable() {
    let mut stream = Stream::new(Side::Server);
    let mut skippable = Vec::new();
    for chunk in [
        "HTTP/1.1 200 OK\r\nContent-",
        "Length: 10\r\n\r\nabc",
        "defghij",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "8\r\nabc",
        "defgh",
        "\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        read_all(&mut stream, &[chunk.as_bytes()], &[]);
        skippable.push((stream.skippable(), stream.in_head()));
    }
    let expected = [0, 7, 0, 0, 5, 0, 0, u64::MAX].map(|rest| (rest, false));
    assert_eq!(skippable[0], (0, true));
    assert_eq!(skippable[1..], expected[1..]);
}

/// Scanners ask so, and what a server makes of it is of interest.
#[test]
fn a_version_that_is_none_is_told_as_it_is_written() {
    for (line, version) in [("HTTP/2.0", "2.0"), ("HTTP/1.10", "1.10"), ("HTTP/1.7", "1.1")] {
        for (side, head) in [
            (Side::Client, format!("GET / {line}\r\n\r\n")),
            (Side::Server, format!("{line} 200 OK\r\n\r\n")),
        ] {
            for cut in 0..head.len() {
                let mut stream = Stream::new(side);
                let (one, two) = head.as_bytes().split_at(cut);
                let found = match &read_all(&mut stream, &[one, two], &[]).0[..] {
                    [Part::Request(request), ..] => request.version,
                    [Part::Response(response), ..] => response.version,
                    other => panic!("{head:?} cut at {cut}: {other:?}"),
                };
                assert_eq!(found.as_str(), version, "{head:?}");
            }
        }
    }
}

#[test]
fn what_is_not_http_1_is_refused_as_soon_as_it_shows_and_left_in_the_chunk() {
    for (side, bytes) in [
        (Side::Client, b"\x16\x03\x01\x02".as_slice()),
        (Side::Client, b"GET /\r\n"),
        (Side::Client, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (Side::Client, b"GET / HTTP/long enough\r\n"),
        (Side::Client, b"GET / http/1.1\r\n"),
        (Side::Client, b"G\xc3T / HTTP/1.1\r\n"),
        (Side::Server, b"SSH-2.0-OpenSSH"),
        (Side::Server, b"HTTP/0.9 200 OK\r\n"),
        (Side::Server, b"HTTP/1.1 099 Low\r\n"),
        (Side::Server, b"HTTP/1.1 2000 Long\r\n"),
        (Side::Server, b"HTTPS"),
    ] {
        let mut stream = Stream::new(side);
        let mut rest = bytes;
        assert_eq!(stream.read(&mut rest, Timestamp(0)), Parsed::NotThisProtocol, "{bytes:?}");
        assert_eq!(rest, bytes, "the bytes are another parser's");
        let mut next: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
        assert_eq!(stream.read(&mut next, Timestamp(0)), Parsed::NotThisProtocol, "it is final");
    }
}

#[test]
fn the_side_shows_in_the_first_line() {
    let request = b"\r\nGET /a HTTP/1.1\r\nHost";
    for cut in 0..18 {
        assert_eq!(side_of(&request[..cut]), Parsed::NeedMore, "cut at {cut}");
    }
    assert_eq!(side_of(request), Parsed::Message(Side::Client));
    let response = b"HTTP/1.1 200 OK\r\n";
    for cut in 0..12 {
        assert_eq!(side_of(&response[..cut]), Parsed::NeedMore, "cut at {cut}");
    }
    assert_eq!(side_of(&response[..12]), Parsed::Message(Side::Server));
    assert_eq!(side_of(b"HTTP/1.1 204\n"), Parsed::Message(Side::Server));
}

#[test]
fn other_text_protocols_have_no_side() {
    for bytes in [
        "EHLO a.example\r\n",
        "220 a.example ESMTP\r\n",
        "SSH-2.0-x\r\n",
        "OPTIONS sip:a SIP/2.0\r\n",
        "DESCRIBE rtsp://a/b RTSP/1.0\r\n",
        "PRI * HTTP/2.0\r\n",
        "get / HTTP/1.1\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "GET / HTTP/1.1 \r\n",
        "GET  / HTTP/1.1\r\n",
        "GET a b HTTP/1.1\r\n",
        "GET /\x01 HTTP/1.1\r\n",
        "HTTP/1.1 2x0 OK\r\n",
        "HTTP/1.1 20000\r\n",
        "GET /\r\n",
        " / HTTP/1.1\r\n",
    ] {
        assert_eq!(side_of(bytes.as_bytes()), Parsed::NotThisProtocol, "{bytes}");
    }
    let method = |length| format!("{} / HTTP/1.1\r\n", "M".repeat(length));
    assert_eq!(side_of(method(32).as_bytes()), Parsed::Message(Side::Client));
    assert_eq!(side_of(method(33).as_bytes()), Parsed::NotThisProtocol);
    let long = [b"GET /".as_slice(), &vec![b'a'; HEAD_MAX_BYTES]].concat();
    assert_eq!(side_of(&long[..HEAD_MAX_BYTES - 1]), Parsed::NeedMore);
    assert_eq!(side_of(&long), Parsed::NotThisProtocol);
}

#[test]
fn a_head_of_the_limit_is_read_and_one_byte_more_is_malformed() {
    for (extra, expected) in [(0, ["GET /", "end 0", "GET /b"]), (1, ["malformed Head", "", ""])] {
        let mut bytes = b"GET / HTTP/1.1\r\nX: ".to_vec();
        bytes.resize(HEAD_MAX_BYTES - 4 + extra, b'x');
        bytes.extend_from_slice(b"\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
        for size in [1, 1448, bytes.len()] {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            let mut stream = Stream::new(Side::Client);
            let (parts, _) = read_all(&mut stream, &chunks, &[]);
            assert_eq!(short(&parts)[0], expected[0], "{extra} more in chunks of {size}");
            assert!(extra == 1 || short(&parts)[..3] == expected, "{extra} more by {size}");
            assert!(stream.section.so_far().len() <= HEAD_MAX_BYTES);
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic_nor_grow_memory_past_the_limit(
        start in prop::sample::select(vec![
            &b""[..], b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ]),
        bytes in prop::collection::vec(prop_oneof![
            any::<u8>(), prop::sample::select(b"\r\n :0aG/HTP1.".to_vec()),
        ], 0..600),
        size in 1_usize..40,
        side in prop::sample::select(vec![Side::Client, Side::Server]),
    ) {
        let bytes = [start, &bytes].concat();
        let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
        for mut stream in [Stream::new(side), Stream::joined(side)] {
            read_all(&mut stream, &chunks, &[]);
            prop_assert!(stream.section.so_far().len() <= bytes.len().min(HEAD_MAX_BYTES));
        }
    }
}
