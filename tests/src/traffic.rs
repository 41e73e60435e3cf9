//! Clients: wrk, and connections of the test itself; and whether what they asked was exported.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::lan::Lan;
use crate::netns::Netns;
use crate::records::Record;
use crate::{PATIENCE, run};

/// Every request carries an id that no other has.
const IDS: &str = "
local thread = 0
function setup(t) t:set('number', thread); thread = thread + 1 end
local sent = 0
function request()
  sent = sent + 1
  return wrk.format('GET', nil, { ['X-Request-Id'] = number .. '-' .. sent })
end
";

/// Loads a server with wrk, from inside a namespace.
///
/// # Panics
/// If wrk fails.
pub fn wrk(netns: &Netns, url: &str, connections: u32, duration: Duration) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("ids.lua");
    fs::write(&script, IDS).expect("our own folder");
    let mut command = netns.command("wrk");
    command.args(["--threads", "2", "--connections", &connections.to_string()]);
    command.args(["--duration", &format!("{}s", duration.as_secs().max(1))]);
    run(command.arg("--script").arg(&script).arg(url));
}

/// An exchange by the ids of its request and of the answer that went with it.
pub type Ids = (Option<String>, Option<String>);

/// The ids of exchanges out of `--output text`.
#[must_use]
pub fn ids_in_text(text: &str) -> Vec<Ids> {
    let mut ids = Vec::new();
    for line in text.lines() {
        if let Some(id) = line.strip_prefix("    > X-Request-Id: ") {
            ids.last_mut().map(|(request, _): &mut Ids| request.replace(id.to_owned()));
        } else if let Some(id) = line.strip_prefix("    < X-Request-Id: ") {
            ids.last_mut().map(|(_, response)| response.replace(id.to_owned()));
        } else if line.starts_with(|c: char| c.is_ascii_digit()) && !line.contains(" -- failed ") {
            ids.push((None, None));
        }
    }
    ids
}

/// The ids of exchanges out of records.
#[must_use]
pub fn ids_of(exchanges: &[&Record]) -> Vec<Ids> {
    let owned = |id: Option<&str>| id.map(str::to_owned);
    exchanges
        .iter()
        .map(|e| {
            (owned(e.request_header("x-request-id")), owned(e.response_header("x-request-id")))
        })
        .collect()
}

/// Fails if an answer went with another request than the one that it answers.
///
/// # Panics
/// If one did.
pub fn assert_paired_right(exchanges: &[Ids]) {
    for exchange in exchanges {
        if let (Some(id), Some(echo)) = exchange {
            assert_eq!(id, echo, "an answer went with another request");
        }
    }
}

/// Fails unless the exchanges are those of the server's access log (`ID STATUS ...` a line), each
/// once, and every answer went with the request that it answers. Gives how many there are.
///
/// wrk breaks its connections off at the end, so a request may have been sent, and seen, that the
/// server never read; it has no answer then.
///
/// # Panics
/// If they are not.
pub fn assert_each_once(exchanges: &[Ids], access_log: &str) -> usize {
    assert_paired_right(exchanges);
    let mut times = BTreeMap::new();
    for (id, _) in exchanges {
        *times.entry(id.as_deref().expect("every request was captured")).or_insert(0) += 1;
    }
    let often: Vec<_> = times.iter().filter(|(_, times)| **times != 1).take(5).collect();
    assert!(often.is_empty(), "exported more than once: {often:?}");
    let logged: BTreeSet<&str> =
        access_log.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(!logged.is_empty(), "the server was asked nothing");
    let missing: Vec<_> = logged.iter().filter(|id| !times.contains_key(*id)).take(5).collect();
    assert!(missing.is_empty(), "not exported: {missing:?}");
    let answered = exchanges.iter().filter(|(_, echo)| echo.is_some());
    let invented: Vec<_> = answered
        .filter_map(|(id, _)| id.as_deref())
        .filter(|id| !logged.contains(id))
        .take(5)
        .collect();
    assert!(invented.is_empty(), "answered, but not in the server's log: {invented:?}");
    logged.len()
}

/// A connection made inside a namespace; every write is a segment of its own.
///
/// # Panics
/// If nobody listens there.
#[must_use]
pub fn connect(netns: &Netns, host: &str, port: u16) -> TcpStream {
    let stream = netns
        .inside(|| TcpStream::connect((host, port)))
        .unwrap_or_else(|error| panic!("{host} port {port}: {error}"));
    stream.set_nodelay(true).expect("TCP has it");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
    stream
}

/// Writes a request and reads one answer, head and body (of Content-Length, or none).
///
/// # Panics
/// If the connection breaks or the answer is no HTTP/1.
pub fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).expect("the server reads");
    answer(stream)
}

/// Reads one answer: its head; its body is read and dropped.
///
/// # Panics
/// If the connection breaks or the answer is no HTTP/1.
pub fn answer(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the server answers");
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("the head is ASCII");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let length = length.map_or(0, |text| text.parse().expect("Content-Length is a number"));
    let body = std::io::copy(&mut Read::by_ref(stream).take(length), &mut std::io::sink());
    assert_eq!(body.ok(), Some(length), "the body was cut short");
    head
}

/// A connection whose two ends the test holds, so it decides what is written, when and how.
#[derive(Debug)]
pub struct Conversation {
    /// The end that connected.
    pub client: TcpStream,
    /// The end that was accepted.
    pub server: TcpStream,
    /// The server's port.
    pub port: u16,
}

impl Conversation {
    /// Connects the client of `lan` to a listener of its server.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn over(lan: &Lan) -> Self {
        let port = crate::port();
        let listener = lan.server.inside(|| TcpListener::bind(("0.0.0.0", port)));
        let listener = listener.expect("the port is free");
        let client = connect(&lan.client, &lan.server_v4(), port);
        let (server, _) = listener.accept().expect("the client has connected");
        server.set_nodelay(true).expect("TCP has it");
        server.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
        Self { client, server, port }
    }

    /// Sends bytes to the server, who reads them.
    ///
    /// # Panics
    /// If the connection breaks.
    pub fn request(&mut self, bytes: impl AsRef<[u8]>) {
        pass(&mut self.client, &mut self.server, bytes.as_ref());
    }

    /// Sends bytes to the client, who reads them.
    ///
    /// # Panics
    /// If the connection breaks.
    pub fn response(&mut self, bytes: impl AsRef<[u8]>) {
        pass(&mut self.server, &mut self.client, bytes.as_ref());
    }

    /// One whole small exchange.
    ///
    /// # Panics
    /// If the connection breaks.
    pub fn exchange(&mut self, id: &str) {
        self.request(get(id));
        self.response(ok(id));
    }
}

/// A request with an id.
#[must_use]
pub fn get(id: &str) -> String {
    format!("GET /{id} HTTP/1.1\r\nHost: test\r\nX-Request-Id: {id}\r\n\r\n")
}

/// The answer to the request with this id.
#[must_use]
pub fn ok(id: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nX-Request-Id: {id}\r\nContent-Length: 2\r\n\r\nok")
}

/// In pieces that fit the socket buffers, as one thread holds both ends.
fn pass(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    let mut received = vec![0; 64 * 1024];
    for piece in bytes.chunks(received.len()) {
        from.write_all(piece).expect("the peer reads");
        let received = &mut received[..piece.len()];
        to.read_exact(received).expect("the peer has written");
        assert!(received == piece, "the bytes arrived as they were sent");
    }
}
