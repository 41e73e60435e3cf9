//! Capture files: packets and when they were captured in, pcap or pcapng out.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::packets::{ACK, FIN, Packet, SYN};

/// Nanoseconds in a second.
pub const SECOND_NS: u64 = 1_000_000_000;
/// When captures begin: 2014-05-13 16:53:20 UTC.
pub const START_NS: u64 = 1_400_000_000 * SECOND_NS;
/// The link type of Ethernet.
pub const ETHERNET: u16 = 1;

/// A frame, when it was captured in nanoseconds, and how much of it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// When.
    pub at_ns: u64,
    /// All of it.
    pub bytes: Vec<u8>,
    /// How much of it is in the file.
    pub captured: usize,
}

impl Frame {
    /// A whole frame.
    #[must_use]
    pub fn new(at_ns: u64, bytes: Vec<u8>) -> Self {
        Self { at_ns, captured: bytes.len(), bytes }
    }

    fn captured(&self) -> &[u8] {
        self.bytes.get(..self.captured).unwrap_or(&self.bytes)
    }
}

fn word(n: usize) -> [u8; 4] {
    u32::try_from(n).expect("a test's numbers are small").to_le_bytes()
}

/// A pcap file with nanoseconds.
///
/// # Panics
/// If a frame's time is after 2106.
#[must_use]
pub fn pcap(link: u16, frames: &[Frame]) -> Vec<u8> {
    let mut file = vec![0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    file.extend(u32::from(link).to_le_bytes());
    for frame in frames {
        for part in [frame.at_ns / SECOND_NS, frame.at_ns % SECOND_NS] {
            file.extend(u32::try_from(part).expect("it is before 2106").to_le_bytes());
        }
        file.extend(word(frame.captured().len()));
        file.extend(word(frame.bytes.len()));
        file.extend(frame.captured());
    }
    file
}

/// A pcapng file with nanoseconds; each frame is of the interface with its number.
#[must_use]
pub fn pcapng(links: &[u16], frames: &[(usize, Frame)]) -> Vec<u8> {
    let order = 0x1a2b_3c4d_u32.to_le_bytes();
    let mut file = block(0x0a0d_0d0a, &[&order[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
    for link in links {
        let nanoseconds = [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        let body = [&link.to_le_bytes()[..], &[0; 6], &nanoseconds].concat();
        file.extend(block(1, &body));
    }
    for (interface, frame) in frames {
        let [a, b, c, d, e, f, g, h] = frame.at_ns.to_le_bytes();
        let head = [
            word(*interface),
            [e, f, g, h],
            [a, b, c, d],
            word(frame.captured().len()),
            word(frame.bytes.len()),
        ];
        file.extend(block(6, &[&head.concat(), frame.captured()].concat()));
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let len = word(body.len() + 12);
    [&kind.to_le_bytes()[..], &len, &body, &len].concat()
}

/// A connection with its handshake: each message is a segment of the client (true) or the server,
/// a millisecond after the one before.
#[must_use]
pub fn connection(
    client: &str,
    server: &str,
    at_ns: u64,
    messages: &[(bool, &[u8])],
) -> Vec<Frame> {
    let syn = Packet { flags: SYN, ack: 0, ..Packet::new(client, server, b"") };
    let answer = Packet { flags: SYN | ACK, ack: syn.seq + 1, ..syn.answer(b"") };
    let mut ends = [
        Packet { flags: ACK, seq: syn.seq + 1, ack: 1, ..syn.clone() },
        Packet { flags: ACK, seq: 1, ack: syn.seq + 1, ..syn.answer(b"") },
    ];
    let answer = Packet { seq: 0, ..answer };
    let mut packets = vec![syn, answer, ends[0].clone()];
    for (is_client, payload) in messages {
        let [own, peer] = if *is_client { [0, 1] } else { [1, 0] };
        let packet = Packet { payload: payload.to_vec(), ..ends[own].clone() };
        ends[own].seq = packet.end();
        ends[peer].ack = packet.end();
        packets.push(packet);
    }
    for end in ends {
        packets.push(Packet { flags: FIN | ACK, ..end });
    }
    let times = (0..).map(|n| at_ns + n * 1_000_000);
    times.zip(packets).map(|(at, packet)| Frame::new(at, packet.frame())).collect()
}

/// Files of a test's own, removed at the end.
#[derive(Debug)]
pub struct Files(TempDir);

impl Default for Files {
    fn default() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }
}

impl Files {
    /// Writes a file.
    ///
    /// # Panics
    /// If there is no room for it.
    #[must_use]
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).expect("there is room");
        path
    }
}
