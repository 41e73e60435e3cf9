//! Heads and framing that smuggling is made of: what is recorded, and where the message ends.

use super::*;
use crate::http::Oddities;

/// The oddities of a request with these lines, the rest of its head being ordinary.
fn oddities(lines: &str) -> Oddities {
    let bytes = format!("GET / HTTP/1.1\r\n{lines}\r\n");
    match parts(Side::Client, bytes.as_bytes(), &[]).first() {
        Some(Part::Request(request)) => request.oddities,
        other => panic!("{lines:?} is not a head: {other:?}"),
    }
}

/// What is read of a request with these lines and then `rest`.
fn request(lines: &str, rest: &str) -> Vec<String> {
    let bytes = format!("POST / HTTP/1.1\r\n{lines}\r\n\r\n{rest}");
    short(&parts(Side::Client, bytes.as_bytes(), &[]))
}

fn response(lines: &str, rest: &str) -> Vec<String> {
    let bytes = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{rest}");
    short(&parts(Side::Server, bytes.as_bytes(), &[]))
}

#[test]
fn an_ordinary_head_has_no_oddities() {
    assert_eq!(oddities("Host: a\r\nContent-Length: 0\r\n"), Oddities::default());
    assert_eq!(oddities("Transfer-Encoding: chunked\r\n"), Oddities::default());
}

#[test]
fn each_oddity_is_recorded_alone() {
    let none = Oddities::default();
    let both = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(oddities(both), Oddities { content_length_and_transfer_encoding: true, ..none });
    for lines in ["Content-Length: 3\r\nContent-Length: 3\r\n", "Content-Length: 3, 3\r\n"] {
        assert_eq!(oddities(lines), Oddities { duplicate_content_length: true, ..none }, "{lines}");
    }
    assert_eq!(oddities("X: a\r\n b\r\n"), Oddities { obs_fold: true, ..none });
    assert_eq!(oddities("X: a\n"), Oddities { bare_lf: true, ..none });
    assert_eq!(oddities("X \t: a\r\n"), Oddities { space_before_colon: true, ..none });
}

#[test]
fn transfer_encoding_overrides_content_length() {
    let lines = "Content-Length: 3\r\nTransfer-Encoding: chunked";
    assert_eq!(request(lines, "1\r\na\r\n0\r\n\r\n"), ["POST /", "end 1"]);
}

#[test]
fn the_same_content_length_twice_counts_and_different_ones_end_all_reading() {
    assert_eq!(request("Content-Length: 2\r\nContent-Length: 2", "ab"), ["POST /", "end 2"]);
    for lines in [
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2, 3",
        "Content-Length: x",
        "Content-Length: +2",
        "Content-Length: -2",
        "Content-Length: 4 2",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
    ] {
        let smuggled = "abGET /smuggled HTTP/1.1\r\n\r\n";
        assert_eq!(request(lines, smuggled), ["POST /"], "{lines}");
        assert_eq!(response(lines, "abHTTP/1.1 200 OK\r\n\r\n"), ["200"], "{lines}");
    }
}

#[test]
fn a_name_is_kept_as_written_without_the_space_before_its_colon() {
    let bytes = b"GET / HTTP/1.1\r\nX-\xffA b \t: \x00\xfe:\r \r\n\r\n";
    let parts = parts(Side::Client, bytes, &[]);
    let Some(Part::Request(request)) = parts.first() else { panic!("not a request: {parts:?}") };
    let fields: Vec<_> = request.fields.iter().collect();
    assert_eq!(fields, [(b"X-\xffA b".as_slice(), b"\x00\xfe:\r".as_slice())]);
}

#[test]
fn a_fold_is_one_space_and_joins_no_line_that_is_not_a_field() {
    let fields = |lines: &str| {
        let bytes = format!("GET / HTTP/1.1\r\n{lines}\r\n");
        fields_of(&parts(Side::Client, bytes.as_bytes(), &[])[0])
    };
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(fields("A: b \r\n \t c\t\r\n\td\r\n"), one("A", "b c d"));
    assert_eq!(fields("A:\r\n b\r\n"), one("A", "b"));
    assert_eq!(fields("A: b\r\n \t\r\n"), one("A", "b"));
    assert_eq!(fields(" X: first\r\nA: b\r\n"), one("A", "b"));
    assert_eq!(fields("A: b\r\nno colon\r\n c\r\n: no name\r\n d\r\n"), one("A", "b"));
}

#[test]
fn only_a_line_without_any_byte_ends_a_head() {
    for line in ["\r", " ", ":", "\r\r"] {
        let bytes = format!("GET / HTTP/1.1\r\n{line}\r\nA: b\r\n\r\n");
        let parts = parts(Side::Client, bytes.as_bytes(), &[]);
        assert_eq!(fields_of(&parts[0]), [("A".to_owned(), "b".to_owned())], "{line:?}");
    }
}

#[test]
fn a_request_line_is_read_as_lenient_servers_do() {
    let target = |line: &str| {
        let bytes = format!("{line}\r\n\r\n");
        short(&parts(Side::Client, bytes.as_bytes(), &[])).first().cloned()
    };
    assert_eq!(target("GET /a b HTTP/1.1").as_deref(), Some("GET /a b"));
    assert_eq!(target("GET  /a  HTTP/1.1 \t").as_deref(), Some("GET /a"));
    assert_eq!(target("x!~ /a HTTP/1.9").as_deref(), Some("x!~ /a"));
    assert_eq!(target("GET  HTTP/1.1"), None);
    assert_eq!(target(" GET / HTTP/1.1"), None);
}

#[test]
fn a_reason_phrase_may_be_anything_or_lack() {
    for line in ["HTTP/1.1 404", "HTTP/1.1 404 ", "HTTP/1.1  404 \u{e9}", "HTTP/1.0 404\tNot"] {
        let bytes = format!("{line}\r\n\r\n");
        assert_eq!(short(&parts(Side::Server, bytes.as_bytes(), &[])), ["404"], "{line}");
    }
}

#[test]
fn chunk_sizes_may_have_extensions_leading_zeros_and_bare_lf() {
    let rest = "00000000000000000003;a=b;c=\"d\"\r\nabc\r\nA \t\n0123456789\n0\nT: 1\n\n";
    let expected = ["200", "end 13 T=1"];
    assert_eq!(response("Transfer-Encoding: chunked", rest), expected);
}

#[test]
fn broken_chunks_are_malformed_and_the_next_head_is_found_again() {
    for rest in
        ["x\r\n", "\r\n", ";a\r\n", "3\r\nabcd", "10000000000000000\r\n", "-1\r\n", "1\r\na\rb"]
    {
        let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{rest}");
        let next: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        let mut stream = Stream::new(Side::Server);
        let (parts, _) = read_all(&mut stream, &[bytes.as_bytes(), next], &[]);
        assert_eq!(short(&parts), ["200", "malformed Body", "404", "end 0"], "{rest:?}");
    }
}

#[test]
fn a_trailer_section_past_the_limit_is_malformed() {
    let trailer = format!("0\r\nX: {}\r\n\r\n", "x".repeat(HEAD_MAX_BYTES));
    assert_eq!(response("Transfer-Encoding: chunked", &trailer), ["200", "malformed Body"]);
}
