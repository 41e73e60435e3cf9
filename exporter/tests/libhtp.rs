//! Whole HTTP/1 conversations, odd ones among them: those of libhtp, from the file `libhtp.jsonl`
//! in the folder that HEADERTAP_VECTORS names (`make test-corpus` sets it).

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use headertap::correlate::{Correlator, Found};
use headertap::event::{Segment, TcpFlags};
use headertap::exchange::Exchange;
use headertap::flow::{Cell, Endpoint, Timestamp, Tuple};
use headertap::http::MessageEnd;
use headertap::stats::{Account, Unit};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Conversation {
    path: String,
    chunks: Vec<(String, String)>,
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Each conversation's exchanges, long targets cut, with the sizes of the bodies where their ends were seen.
const EXPECTED: [(&str, &[&str]); 31] = [
    ("01-get.t", &["GET /?p=%20 (0) 200 (12)"]),
    ("05-expect.t", &["POST / (-) 200 (45)"]),
    ("09-multi-packet-request-head.t", &["GET / (0) 200 (12)"]),
    ("100-response-body-data.t", &[]),
    (
        "13-compressed-response-gzip-ct.t",
        &["GET /accounts/SetSID?sidt=vK3vmyQBAAA%3D.oenpjG1P (0) 302 (187)"],
    ),
    ("15-connect-complete.t", &["CONNECT www.feistyduck.com:443 (0) 200 (-)"]),
    ("18-compressed-response-deflate.t", &["GET / (0) 200 (755)"]),
    ("23-http09-multiple.t", &[]),
    ("24-http09-explicit.t", &["- (-) 200 (12)"]),
    ("28-response-headers-raw.t", &["GET /?p=%20 (0) 200 (12)"]),
    ("30-get-ipv6.t", &["GET http://[::1]:8080/?p=%20 (0) 200 (12)"]),
    ("31-get-request-line-nul.t", &["GET /?p=%20\0%21 (0) 200 (12)"]),
    ("33-invalid-hostname.t", &["GET http://www.example.com:XXX/?p=%20 (0) 200 (12)"]),
    ("34-invalid-hostname.t", &["GET /?p=%20 (0) 200 (12)"]),
    ("36-invalid-request-1-invalid-c-l.t", &["POST / (-) 200 (12)"]),
    (
        "39-auto-destroy-crash.t",
        &["GET / (0) 200 (12)", "GET / (0) 200 (-)", "GET / (0) - (-)", "GET / (0) - (-)"],
    ),
    ("43-invalid-protocol.t", &[]),
    ("50-util.t", &["GET /?p=%20 (0) 200 (12)"]),
    ("51-get-ipv6-invalid.t", &["GET http://[::1:8080/?p=%20 (0) 200 (12)"]),
    ("52-invalid-path.t", &["GET invalid/path?p=%20 (0) 200 (12)"]),
    ("61-empty-line-between-requests.t", &["GET /first (0) 200 (12)", "GET /second (0) 200 (12)"]),
    ("64-post-chunked-invalid-2.t", &["POST / (-) 200 (12)"]),
    ("66-post-chunked-split-chunk.t", &["POST / (12) 200 (12)"]),
    ("67-long-request-line.t", &["GET /0123456789/0123456789/ (0) 200 (12)"]),
    ("69-long-response-header.t", &["GET / (0) 200 (12)"]),
    ("72-response-split-body.t", &["GET /?p=%20 (0) 200 (12)"]),
    ("74-response-multiple-cl.t", &["GET / (0) 200 (12)"]),
    ("75-response-invalid-cl.t", &["GET / (0) 200 (12)"]),
    ("78-response-no-status-headers.t", &["GET / (0) - (-)"]),
    ("81-hostname-invalid-2.t", &["GET http://[:80/?p=%20 (0) 200 (12)"]),
    ("94-compressed-response-multiple.t", &["GET /index.html (0) 200 (51)"]),
];

#[test]
#[ignore = "needs HEADERTAP_VECTORS: run make test-corpus"]
fn conversations_are_read() {
    let folder = std::env::var("HEADERTAP_VECTORS").expect("HEADERTAP_VECTORS names a folder");
    let lines = std::fs::read_to_string(Path::new(&folder).join("libhtp.jsonl"))
        .expect("libhtp.jsonl is in the folder that HEADERTAP_VECTORS names");
    let mut read = 0;
    for line in lines.lines() {
        let conversation: Conversation = serde_json::from_str(line).expect("a conversation");
        let name = conversation.path.trim_start_matches("test/files/");
        if let Some((_, expected)) = EXPECTED.iter().find(|(known, _)| *known == name) {
            assert_eq!(exchanges(&conversation), *expected, "{name}");
            read += 1;
        }
    }
    assert_eq!(read, EXPECTED.len());
}

/// One connection as it is seen on the wire.
struct Wire {
    correlator: Correlator,
    found: Vec<Found>,
    next: [u32; 2],
}

impl Wire {
    fn send(&mut self, from_client: bool, flags: u8, payload: &[u8]) {
        let [client, server] =
            [(1, 40_000), (2, 80)].map(|(byte, port)| Endpoint { address: [byte; 16], port });
        let tuple = Tuple { source: client, destination: server };
        let side = usize::from(!from_client);
        let segment = Segment {
            at: Timestamp(1),
            tuple: if from_client { tuple } else { tuple.reversed() },
            socket_cookie: 0,
            seq: self.next[side],
            ack: self.next[1 - side],
            len: u32::try_from(payload.len()).expect("a chunk is small"),
            flags: TcpFlags(flags),
            payload,
            cell: Cell::default(),
        };
        self.next[side] += segment.len + u32::from(flags & (SYN | FIN) != 0);
        self.correlator.segment(&segment, Timestamp(1), &mut self.found);
    }
}

fn exchanges(conversation: &Conversation) -> Vec<String> {
    let account = Arc::new(Account::default());
    let correlator = Correlator::new([7; 16], 1, account.clone());
    let mut wire = Wire { correlator, found: Vec::new(), next: [0, 0] };
    wire.send(true, SYN, b"");
    wire.send(false, SYN | ACK, b"");
    for (mark, chunk) in &conversation.chunks {
        let bytes = STANDARD.decode(chunk).expect("a chunk is base64");
        wire.send(mark == ">>>", ACK, &bytes);
    }
    wire.send(true, FIN | ACK, b"");
    wire.send(false, FIN | ACK, b"");
    wire.correlator.finish(Timestamp(2), &mut wire.found);
    assert_eq!(account.row(Unit::Http).lost(), 0, "{}", conversation.path);
    let exchanges = wire.found.iter().filter_map(|found| match found {
        Found::Exchange(exchange) => Some(told(exchange)),
        _ => None,
    });
    exchanges.collect()
}

fn told(exchange: &Exchange) -> String {
    let request = exchange.request.as_ref().map_or("-".to_owned(), |request| {
        let text = |bytes| String::from_utf8_lossy(bytes).chars().take(45).collect::<String>();
        format!("{} {}", text(&request.method), text(&request.target))
    });
    let status =
        exchange.response.as_ref().map_or("-".to_owned(), |answer| answer.status.to_string());
    let size = |end: &Option<MessageEnd>| {
        let size = end.as_ref().and_then(|end| end.body_size);
        size.map_or("-".to_owned(), |size| size.to_string())
    };
    let [sent, received] = [&exchange.request_end, &exchange.response_end].map(size);
    format!("{request} ({sent}) {status} ({received})")
}
