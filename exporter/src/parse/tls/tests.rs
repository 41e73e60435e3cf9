//! What is read of hellos, well-formed, cut, odd and hostile. The fixtures are what OpenSSL 3.0
//! sent; what is asked of them is what tshark 4.0 and an own script found there.

mod fingerprints;
mod splits;
mod written;

use super::*;
use written::{Hello, handshake, records};

const TLS13_CLIENT: &[u8] = include_bytes!("fixtures/tls13.client");
const TLS13_SERVER: &[u8] = include_bytes!("fixtures/tls13.server");
const TLS12_CLIENT: &[u8] = include_bytes!("fixtures/tls12.client");
const TLS12_SERVER: &[u8] = include_bytes!("fixtures/tls12.server");
const RETRY_CLIENT: &[u8] = include_bytes!("fixtures/retry.client");
const RETRY_SERVER: &[u8] = include_bytes!("fixtures/retry.server");
const ALERT_SERVER: &[u8] = include_bytes!("fixtures/alert.server");
const RESUMED13_CLIENT: &[u8] = include_bytes!("fixtures/resumed13.client");
const TICKET12_CLIENT: &[u8] = include_bytes!("fixtures/ticket12.client");

/// Everything a stream gives for `chunks`, the n-th captured at time n. Second: whether it is
/// still TLS.
fn read_all(stream: &mut Stream, chunks: &[&[u8]]) -> (Vec<Part>, bool) {
    let mut parts = Vec::new();
    for (at, chunk) in (0..).map(Timestamp).zip(chunks) {
        let mut rest = *chunk;
        loop {
            match stream.read(&mut rest, at) {
                Parsed::Message(part) => parts.push(part),
                Parsed::NeedMore => break assert!(rest.is_empty(), "bytes are left: {rest:?}"),
                Parsed::NotThisProtocol => return (parts, false),
            }
        }
    }
    (parts, true)
}

/// The parts of `bytes` in one chunk.
fn parts(bytes: &[u8]) -> Vec<Part> {
    read_all(&mut Stream::new(), &[bytes]).0
}

/// Parts as short text.
fn short(parts: &[Part]) -> Vec<String> {
    let of = |part: &Part| match part {
        Part::ClientHello(hello) => {
            format!(
                "client {}",
                String::from_utf8_lossy(hello.server_name.as_deref().unwrap_or(b"-"))
            )
        }
        Part::ServerHello(hello) if hello.is_retry => "retry".to_owned(),
        Part::ServerHello(hello) => format!("server {:04x}", hello.cipher_suite),
        Part::Alert(level, description) => format!("alert {level} {description}"),
        Part::Malformed => "malformed".to_owned(),
        Part::Past => "past".to_owned(),
    };
    parts.iter().map(of).collect()
}

fn client_hello(bytes: &[u8]) -> ClientHello {
    match parts(bytes).into_iter().next() {
        Some(Part::ClientHello(hello)) => *hello,
        other => panic!("no ClientHello but {other:?}"),
    }
}

fn server_hello(bytes: &[u8]) -> ServerHello {
    match parts(bytes).into_iter().next() {
        Some(Part::ServerHello(hello)) => *hello,
        other => panic!("no ServerHello but {other:?}"),
    }
}

#[test]
fn a_client_hello_tells_what_the_client_offers() {
    let hello = client_hello(TLS13_CLIENT);
    assert_eq!(hello.legacy_version, 0x0303);
    assert_eq!(hello.server_name.as_deref(), Some(b"shop.example.test".as_slice()));
    assert_eq!(hello.alpn, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    assert_eq!(hello.supported_versions, [0x0304, 0x0303, 0x0302, 0x0301]);
    assert_eq!(hello.supported_groups, [29, 23, 30, 25, 24, 256, 257, 258, 259, 260]);
    assert_eq!(hello.extensions, [0, 11, 10, 35, 16, 22, 23, 13, 43, 45, 51]);
    assert_eq!(hello.point_formats, [0, 1, 2]);
    assert_eq!(hello.cipher_suites.len(), 31);
    assert_eq!(hello.cipher_suites.get(..3), Some([0x1302, 0x1303, 0x1301].as_slice()));
    assert_eq!(hello.signature_algorithms.first(), Some(&0x0403));
    assert_eq!(hello.signature_algorithms.len(), 20);
    assert!(!hello.offers_resumption());
}

#[test]
fn a_server_hello_tells_what_the_server_chose() {
    let hello = server_hello(TLS13_SERVER);
    assert_eq!((hello.legacy_version, hello.version()), (0x0303, 0x0304));
    assert_eq!((hello.cipher_suite, hello.selected_group), (0x1302, Some(29)));
    assert_eq!((hello.extensions.as_slice(), hello.is_retry), ([43, 51].as_slice(), false));
    let hello = server_hello(TLS12_SERVER);
    assert_eq!((hello.version(), hello.cipher_suite), (0x0303, 0xc030));
    assert_eq!(hello.alpn.as_deref(), Some(b"http/1.1".as_slice()));
    assert_eq!((hello.selected_version, hello.selected_group), (None, None));
}

#[test]
fn a_client_that_is_asked_to_try_again_says_hello_twice() {
    let client = "client shop.example.test";
    assert_eq!(short(&parts(RETRY_CLIENT)), [client, client, "past"]);
    assert_eq!(short(&parts(RETRY_SERVER)), ["retry", "server 1302", "past"]);
    let Some(Part::ServerHello(retry)) = parts(RETRY_SERVER).into_iter().next() else {
        panic!("the server asks to try again");
    };
    assert_eq!((retry.version(), retry.selected_group), (0x0304, Some(24)));
}

#[test]
fn an_alert_answers_a_client_hello() {
    assert_eq!(short(&parts(ALERT_SERVER)), ["alert 2 40"]);
}

#[test]
fn what_a_client_shows_of_an_earlier_session_is_told() {
    for (bytes, ticket, key) in [
        (RESUMED13_CLIENT, false, true),
        (TICKET12_CLIENT, true, false),
        (TLS12_CLIENT, false, false),
    ] {
        let hello = client_hello(bytes);
        assert_eq!((hello.shows_ticket, hello.has(extension::PRE_SHARED_KEY)), (ticket, key));
        assert_eq!(hello.offers_resumption(), ticket || key);
    }
}

#[test]
fn what_follows_the_hellos_is_not_read() {
    assert_eq!(short(&parts(TLS12_SERVER)), ["server c030", "past"]);
    assert_eq!(short(&parts(TLS13_CLIENT)), ["client shop.example.test", "past"]);
    let encrypted_alert = [21, 3, 3, 0, 26, 0, 0, 0];
    assert_eq!(short(&parts(&encrypted_alert)), ["past"]);
}

#[test]
fn early_data_are_passed_over_to_the_second_hello() {
    let hello = Hello { extensions: vec![(42, Vec::new())], ..Hello::default() }.records();
    let early = [&[20, 3, 3, 0, 1, 1][..], &[23, 3, 3, 0, 4, 1, 2, 3, 4]].concat();
    let bytes = [hello.as_slice(), &early, &Hello::default().records()].concat();
    assert_eq!(short(&parts(&bytes)), ["client -", "client -"]);
    let mut stream = Stream::new();
    let (seen, missed) = (hello.len() + early.len() - 3, 3);
    read_all(&mut stream, &[&bytes[..seen]]);
    assert_eq!((stream.skippable(), stream.gap(missed)), (3, Gap::Between));
    let (after, _) = read_all(&mut stream, &[&bytes[seen + 3..]]);
    assert_eq!(short(&after), ["client -"]);
}

#[test]
fn hellos_of_sslv3_and_of_the_drafts_are_read() {
    let bare = Hello { legacy_version: 0x0300, has_extensions: false, ..Hello::default() };
    let hello = client_hello(&bare.records());
    assert_eq!((hello.legacy_version, hello.extensions.len()), (0x0300, 0));
    // draft-ietf-tls-tls13-18 section 4.1.3: neither session nor compression.
    let body = [&[0x7f, 0x12][..], &[7; 32], &[0x13, 0x01], &[0, 4, 0, 40, 0, 0]].concat();
    let hello = server_hello(&records(&handshake(2, &body), usize::MAX));
    assert_eq!((hello.version(), hello.cipher_suite), (0x7f12, 0x1301));
    assert_eq!(hello.extensions, [40]);
}

#[test]
fn a_hello_that_breaks_its_framing_is_malformed() {
    let odd = [&[3, 3][..], &[7; 32], &[0], &[0, 3, 0, 1, 2], &[1, 0]].concat();
    let whole = Hello::default().body();
    for body in [&whole[..whole.len() - 4], &whole[..20], &odd, &[]] {
        let bytes = records(&handshake(1, body), usize::MAX);
        assert_eq!(short(&parts(&bytes)), ["malformed"], "{body:?}");
    }
    let server = records(&handshake(2, &[3; 40]), usize::MAX);
    assert_eq!(short(&parts(&server)), ["malformed"]);
}

#[test]
fn of_extensions_that_break_their_framing_those_before_are_told() {
    let extensions = vec![(23, vec![]), (10, vec![0, 2, 0, 29])];
    let whole = Hello { extensions, ..Hello::default() }.body();
    let mut too_long = whole.clone();
    too_long.push(0);
    let list_at = whole.len() - 12 - 2;
    let mut cut = whole[..whole.len() - 1].to_vec();
    cut[list_at + 1] -= 1;
    for (body, told) in [(&too_long, [23, 10].as_slice()), (&cut, &[23])] {
        let hello = client_hello(&records(&handshake(1, body), usize::MAX));
        assert_eq!((hello.extensions.as_slice(), hello.is_malformed), (told, true));
        assert_eq!((hello.cipher_suites, hello.ja3, hello.ja4), (vec![0x2f], None, None));
    }
    let body = [&[3, 3][..], &[7; 32], &[0, 0x13, 1, 0, 0, 1, 0]].concat();
    let hello = server_hello(&records(&handshake(2, &body), usize::MAX));
    assert_eq!((hello.cipher_suite, hello.is_malformed), (0x1301, true));
}

#[test]
fn an_extension_that_breaks_its_grammar_says_nothing() {
    let odd = vec![(10, vec![0, 9, 0, 29]), (0, vec![0, 9, 0]), (16, vec![0, 3, 9, b'h', b'2'])];
    let hello = client_hello(&Hello { extensions: odd, ..Hello::default() }.records());
    assert_eq!(hello.extensions, [10, 0, 16]);
    assert_eq!((hello.supported_groups.len(), hello.server_name, hello.alpn.len()), (0, None, 0));
}

#[test]
fn a_hello_that_is_cut_by_other_content_is_malformed() {
    let cut = &TLS13_CLIENT[..5 + 20];
    let mut bytes = cut.to_vec();
    bytes[4] = 20;
    bytes[3] = 0;
    bytes.extend([21, 3, 3, 0, 2, 2, 40]);
    assert_eq!(short(&parts(&bytes)), ["malformed"]);
}

#[test]
fn a_hello_of_64_kib_is_read_and_a_larger_one_is_not() {
    let padding = |bytes| vec![(21, vec![0; bytes])];
    let largest = Hello { extensions: padding(65_489), ..Hello::default() };
    assert_eq!(largest.body().len(), HELLO_MAX_BYTES);
    assert_eq!(short(&parts(&largest.records())), ["client -"]);
    let larger = handshake(1, &vec![0; HELLO_MAX_BYTES + 1]);
    assert_eq!(short(&parts(&records(&larger, 1 << 14))), ["malformed"]);
}

#[test]
fn other_protocols_are_told_apart() {
    for bytes in
        [b"GET / HTTP/1.1\r\n".as_slice(), b"\x80\x2e\x01\x03\x01", b"\x16\x02\x01", b"\x19\x03"]
    {
        assert_eq!(read_all(&mut Stream::new(), &[bytes]), (Vec::new(), false), "{bytes:?}");
        assert_eq!(side_of(bytes), Parsed::NotThisProtocol, "{bytes:?}");
    }
}

#[test]
fn the_first_bytes_tell_the_side() {
    for (bytes, side) in [(TLS13_CLIENT, Side::Client), (RETRY_SERVER, Side::Server)] {
        for cut in 0..40 {
            let expected = if cut < 6 { Parsed::NeedMore } else { Parsed::Message(side) };
            assert_eq!(side_of(&bytes[..cut]), expected, "cut at {cut}");
        }
    }
    let encrypted = [22, 3, 3, 0, 40, 2, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(side_of(&encrypted), Parsed::NotThisProtocol, "an explicit nonce is no ServerHello");
}
