//! A collector of bytes: takes OTLP over HTTP, says yes, and keeps every request as it came.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Whole requests, head and body.
type Kept = Arc<Mutex<Vec<Vec<u8>>>>;

/// Listens on the loopback of the host until the test's process ends.
#[derive(Debug)]
pub(crate) struct Sink {
    port: u16,
    kept: Kept,
}

impl Sink {
    /// Starts it.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let kept = Kept::default();
        let shared = Arc::clone(&kept);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&shared);
                thread::spawn(move || while take(&stream, &kept).is_some() {});
            }
        });
        Self { port, kept }
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every request so far, one after another.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.kept.lock().expect("no thread of it panics").concat()
    }
}

/// Takes and answers one request; `None` at the end of the connection. The peer waits for its
/// answer before it sends the next, so nothing is read too far.
fn take(stream: &TcpStream, kept: &Kept) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut request = Vec::new();
    let mut length = 0;
    loop {
        let start = request.len();
        let read = reader.read_until(b'\n', &mut request).ok().filter(|read| *read > 0)?;
        let line = String::from_utf8_lossy(request.get(start..)?).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if read <= 2 {
            break;
        }
    }
    reader.take(length).read_to_end(&mut request).ok()?;
    kept.lock().ok()?.push(request);
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()
}
