//! HTTP/1 heads as another parser reads them: the cases of llhttp, from the file `llhttp.jsonl` in
//! the folder that HEADERTAP_VECTORS names (`make test-corpus` sets it).
//!
//! A case is held against what llhttp says where it has read a whole head. Where it gives up, a
//! server may go on, so nothing is asked of what follows.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use headertap::fields::Fields;
use headertap::flow::{Side, Timestamp};
use headertap::parse::Parsed;
use headertap::parse::http1::{Part, Stream};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Case {
    path: String,
    title: String,
    r#type: String,
    input_b64: String,
    messages: Vec<Message>,
}

#[derive(Debug, Deserialize)]
struct Message {
    method: String,
    target: String,
    #[serde(default)]
    status: u16,
    fields: Vec<(String, String)>,
    #[serde(default)]
    headers_complete: bool,
}

/// What is compared of a head: request line or status, and field lines.
type Head = (String, Vec<(String, String)>);

/// Cases that are not held against llhttp, and why.
const NOT_COMPARED: [(&str, &str); 7] = [
    ("Headers separated by dummy characters (lenient)", "a CR alone ends no line"),
    ("HTTP version 0.9", "HTTP/0.9 has no status line"),
    ("OPTIONS request with RTSP", "RTSP is not HTTP"),
    ("ANNOUNCE request with RTSP", "RTSP is not HTTP"),
    ("ICE response", "ICE is not HTTP"),
    ("Google 301", "what the case expects was cut at the wrong offsets"),
    ("Non ASCII in status line", "what the case expects was cut at the wrong offsets"),
];

/// A text with every run of white space as one blank: a fold may be replaced by any number
/// (RFC 9112 section 5.2).
fn words(text: &str) -> String {
    text.split([' ', '\t', '\r', '\n'])
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The case's texts are ISO 8859-1.
fn wire(bytes: &[u8]) -> String {
    words(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>())
}

fn head(line: String, fields: &Fields) -> Head {
    (line, fields.iter().map(|(name, value)| (wire(name), wire(value))).collect())
}

fn read(side: Side, mut input: &[u8]) -> Vec<Head> {
    let mut stream = Stream::new(side);
    let mut heads = Vec::new();
    while let Parsed::Message(part) = stream.read(&mut input, Timestamp(1)) {
        match part {
            Part::Request(request) => {
                let line = format!("{} {}", wire(&request.method), wire(&request.target));
                heads.push(head(line, &request.fields));
            }
            Part::Response(response) => {
                heads.push(head(response.status.to_string(), &response.fields));
            }
            Part::End(_) | Part::Malformed(_) => {}
        }
    }
    heads
}

impl Message {
    fn head(&self) -> Head {
        let line = match self.status {
            0 => format!("{} {}", self.method, self.target),
            status => status.to_string(),
        };
        let fields = self.fields.iter();
        (line, fields.map(|(name, value)| (words(name), words(value))).collect())
    }
}

#[test]
#[ignore = "needs HEADERTAP_VECTORS: run make test-corpus"]
fn heads_are_read_as_llhttp_reads_them() {
    let folder = std::env::var("HEADERTAP_VECTORS").expect("HEADERTAP_VECTORS names a folder");
    let lines = std::fs::read_to_string(Path::new(&folder).join("llhttp.jsonl"))
        .expect("llhttp.jsonl is in the folder that HEADERTAP_VECTORS names");
    let (mut compared, mut differences) = (0, Vec::new());
    for line in lines.lines() {
        let case: Case = serde_json::from_str(line).expect("a line is a case");
        if NOT_COMPARED.iter().any(|(title, _)| *title == case.title) {
            continue;
        }
        let input = STANDARD.decode(&case.input_b64).expect("the input is base64");
        let side = if case.r#type.starts_with("response") { Side::Server } else { Side::Client };
        let whole = case.messages.iter().take_while(|message| message.headers_complete);
        let expected: Vec<_> = whole.map(Message::head).collect();
        let heads = read(side, &input);
        compared += expected.len();
        if heads.get(..expected.len()) != Some(&expected[..]) {
            differences
                .push(format!("{}, {}: {expected:?}\n  read: {heads:?}", case.path, case.title));
        }
    }
    assert!(compared > 50, "only {compared} heads were compared");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
