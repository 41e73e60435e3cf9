//! A collector that accepts OTLP/HTTP and keeps nothing: what acknowledges costs others the least.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::{Context, Result};
use e2e::netns::Netns;

const ACCEPTED: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";

/// Listens inside a namespace until the program ends.
pub(crate) fn start(netns: &Netns) -> Result<SocketAddr> {
    let listener = netns.inside(|| TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    Ok(address)
}

/// Answers until the peer closes.
fn serve(stream: TcpStream) {
    let mut reader = BufReader::new(stream);
    while let Ok(length) = head(&mut reader) {
        let body = io::copy(&mut Read::by_ref(&mut reader).take(length), &mut io::sink());
        if body.is_err() || reader.get_mut().write_all(ACCEPTED).is_err() {
            return;
        }
    }
}

/// Reads a request's head, and gives the length of its body.
fn head(reader: &mut impl BufRead) -> Result<u64> {
    let mut length = None;
    loop {
        let mut line = String::new();
        let read = reader.read_line(&mut line)?;
        if read <= 2 {
            return length.context("the peer has closed, or sends no Content-Length");
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse()?);
        }
    }
}
