//! Streams that were joined late or lost bytes: what is picked up, and that nothing is invented.

use super::*;

const GET: &[u8] = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

fn joined(side: Side, chunks: &[&[u8]]) -> Vec<String> {
    let (parts, http) = read_all(&mut Stream::joined(side), chunks, &[]);
    assert!(http, "a joined stream never gives up");
    short(&parts)
}

#[test]
fn a_joined_stream_begins_at_the_first_chunk_that_starts_with_a_head() {
    let chunks =
        [b"rest of a body GET /no HTTP/1.1\r\n\r\n".as_slice(), b"", b"Host: a\r\n\r\n", GET];
    assert_eq!(joined(Side::Client, &chunks), ["GET /next", "end 0"]);
    let chunks =
        [b"more".as_slice(), b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 204 \r\n\r\n"];
    assert_eq!(joined(Side::Server, &chunks), ["200", "end 1", "204", "end 0"]);
}

#[test]
fn a_joined_stream_takes_a_head_that_is_cut_after_its_target_began() {
    for cut in 5..GET.len() {
        let (first, second) = GET.split_at(cut);
        assert_eq!(joined(Side::Client, &[first, second]), ["GET /next", "end 0"], "cut at {cut}");
    }
}

#[test]
fn a_search_that_was_misled_still_finds_the_head_in_the_chunk_that_shows_it() {
    for misleading in ["A ", "A b", "A b HTTP/1", "GET / HTTP/1.1", "X\nA b", "HTTP/1.1 200"] {
        let chunks = [misleading.as_bytes(), GET];
        assert_eq!(joined(Side::Client, &chunks), ["GET /next", "end 0"], "{misleading}");
    }
}

#[test]
fn a_late_stream_that_loses_its_place_says_so_and_resumes() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    let chunks = [head.as_slice(), b"abcd", b"more", head, b"ab"];
    let expected = ["200", "end 2", "malformed Head", "200", "end 2"];
    assert_eq!(joined(Side::Server, &chunks), expected);
}

#[test]
fn a_stream_that_lost_bytes_is_late_from_then_on() {
    let mut stream = Stream::new(Side::Client);
    stream.gap(1);
    let (parts, http) = read_all(&mut stream, &[GET, b"\x16not a head", GET], &[]);
    let expected = ["GET /next", "end 0", "malformed Head", "GET /next", "end 0"];
    assert_eq!((short(&parts), http), (expected.map(str::to_owned).to_vec(), true));
}

#[test]
fn a_gap_inside_content_of_known_place_is_only_counted() {
    let gap = |head: &str, len| {
        let mut stream = Stream::new(Side::Server);
        read_all(&mut stream, &[head.as_bytes()], &[]);
        (stream.gap(len), stream)
    };
    let (result, mut stream) = gap("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab", 8);
    let end = stream.read(&mut b"".as_slice(), Timestamp(3));
    let whole = MessageEnd { body_size: Some(10), at: Timestamp(3), ..MessageEnd::default() };
    assert_eq!((result, end), (Gap::InBody, Parsed::Message(Part::End(whole))));

    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na";
    let (result, mut stream) = gap(chunked, 4);
    let (parts, _) = read_all(&mut stream, &[b"\r\n0\r\n\r\n"], &[]);
    assert_eq!((result, short(&parts)), (Gap::InBody, vec!["end 5".to_owned()]));
    assert_eq!(gap(chunked, 5).0, Gap::CutBody);

    let (result, mut stream) = gap("HTTP/1.1 200 OK\r\n\r\nab", 100);
    let size = stream.finish(Timestamp(4)).and_then(|end| end.body_size);
    assert_eq!((result, size), (Gap::InBody, Some(102)));
}

#[test]
fn a_gap_says_what_it_cut_and_the_next_head_is_found() {
    for (before, len, expected) in [
        ("", 5, Gap::Between),
        ("\r\n", 5, Gap::Between),
        ("GET / HTTP/1.1\r\n\r\n", 5, Gap::Between),
        ("G", 5, Gap::CutHead),
        ("GET / HTTP/1.1\r\nHost", 5, Gap::CutHead),
        ("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\na", 4, Gap::CutBody),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1", 1, Gap::CutBody),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT", 1, Gap::CutBody),
    ] {
        let mut stream = Stream::new(Side::Client);
        read_all(&mut stream, &[before.as_bytes()], &[]);
        assert_eq!(stream.gap(len), expected, "after {before:?}");
        assert!(!stream.in_head(), "after {before:?}");
        let (parts, _) = read_all(&mut stream, &[b"not a head\r\n", GET], &[]);
        assert_eq!(short(&parts), ["GET /next", "end 0"], "after {before:?}");
    }
}

#[test]
fn a_gap_in_what_only_may_be_a_head_cuts_nothing() {
    let mut stream = Stream::joined(Side::Client);
    read_all(&mut stream, &[b"A b"], &[]);
    assert_eq!(stream.gap(1), Gap::Between);
    read_all(&mut stream, &[b"GET / HTTP/1.1\r\nHos"], &[]);
    assert_eq!(stream.gap(1), Gap::CutHead);
}

#[test]
fn a_gap_after_another_protocol_took_over_changes_nothing() {
    let mut stream = Stream::new(Side::Server);
    read_all(&mut stream, &[b"HTTP/1.1 101 Switching Protocols\r\n\r\n"], &[]);
    assert_eq!((stream.gap(9), stream.is_upgraded()), (Gap::Between, true));
}

/// Values name their position, so a line that a gap glued together would be seen.
#[test]
fn a_gap_at_any_place_yields_no_field_that_was_not_sent() {
    let mut bytes = Vec::new();
    let mut sent = Vec::new();
    for n in 0..4 {
        let (target, value) = (format!("/{n}"), format!("value-{n}"));
        bytes.extend_from_slice(
            format!("PUT {target} HTTP/1.1\r\nName-{n}: {value}\r\n").as_bytes(),
        );
        bytes.extend_from_slice(b"Content-Length: 6\r\n\r\nab: cd");
        sent.push((format!("Name-{n}"), value));
        sent.push(("Content-Length".to_owned(), "6".to_owned()));
    }
    for from in 0..bytes.len() {
        for to in from + 1..=bytes.len().min(from + 90) {
            let mut stream = Stream::new(Side::Client);
            let (mut parts, _) = read_all(&mut stream, &[&bytes[..from]], &[]);
            stream.gap(u64::try_from(to - from).expect("a test's length"));
            parts.extend(read_all(&mut stream, &[&bytes[to..]], &[]).0);
            for field in parts.iter().flat_map(fields_of) {
                assert!(sent.contains(&field), "gap {from}..{to} invented {field:?}");
            }
        }
    }
}
