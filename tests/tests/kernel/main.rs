//! The BPF programs by themselves: what the verifier says, what they make of packets, and which
//! bytes they send. No network is needed but a pair of interfaces in a namespace of its own.

mod captures;
mod corpus;
mod datagrams;
mod frames;
mod large;
mod live;
mod parsing;
mod ring;
mod sightings;
mod verdicts;
mod verifier;
mod wire;

use anyhow::Result;
use e2e::packets::Packet;
use e2e::programs::Programs;
use headertap::capture::Verdicts;
use headertap::event::{self, Event, Segment};
use headertap::flow::{COPY_WINDOW_BYTES as COPY_WINDOW, Cell, Verdict};

const CLIENT: &str = "10.1.0.1:40000";
const SERVER: &str = "10.1.0.2:80";
const CLIENT_V6: &str = "[2001:db8::1]:40000";
const SERVER_V6: &str = "[2001:db8::2]:80";
const HEAD: &[u8] = b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// The verdict on every packet: TC_ACT_UNSPEC, which is TCX_NEXT.
const PASS: i32 = -1;
/// Enough for the largest record; to map the default ring again for every packet takes its time.
const TEST_RING_BYTES: u32 = 1024 * 1024;
/// How far an unknown protocol is copied (`bpf/event.h`).
const PROBE_WINDOW: u32 = 4096;
const HELLO_WINDOW: u32 = 20 * 1024;

/// A segment as it came out of the ring, with bytes of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Captured {
    source: String,
    destination: String,
    seq: u32,
    ack: u32,
    len: u32,
    flags: u8,
    payload: Vec<u8>,
    cell: Cell,
}

impl From<Segment<'_>> for Captured {
    fn from(segment: Segment<'_>) -> Self {
        Self {
            source: segment.tuple.source.to_string(),
            destination: segment.tuple.destination.to_string(),
            seq: segment.seq,
            ack: segment.ack,
            len: segment.len,
            flags: segment.flags.0,
            payload: segment.payload.to_vec(),
            cell: segment.cell,
        }
    }
}

/// The programs, and the interface that packets seem to pass.
struct Kernel {
    programs: Programs,
    verdicts: Verdicts,
    program: &'static str,
    ifindex: u32,
}

impl Kernel {
    fn new() -> Result<Self> {
        Self::with_ring(TEST_RING_BYTES)
    }

    fn with_ring(ring_bytes: u32) -> Result<Self> {
        let programs = Programs::load(ring_bytes)?;
        let verdicts = Verdicts::map(&programs.map("flows"))?;
        Ok(Self { programs, verdicts, program: "tc_egress", ifindex: 0 })
    }

    /// What is captured of a frame, which passes unchanged.
    fn frame(&self, frame: &[u8]) -> Result<Vec<Captured>> {
        let outcome = self.programs.run(self.program, frame, self.ifindex)?;
        assert_eq!(outcome.verdict, PASS, "the verdict on a packet");
        assert!(outcome.packet == frame, "a packet was changed");
        self.captured()
    }

    /// What is captured of a packet.
    fn packet(&self, packet: &Packet) -> Result<Vec<Captured>> {
        self.frame(&packet.frame())
    }

    /// The only segment that is captured of a packet.
    fn one(&self, packet: &Packet) -> Result<Captured> {
        let mut captured = self.packet(packet)?;
        assert_eq!(captured.len(), 1, "one record for {packet:?}");
        Ok(captured.remove(0))
    }

    /// How many payload bytes are captured of a packet.
    fn bytes(&self, packet: &Packet) -> Result<usize> {
        Ok(self.packet(packet)?.iter().map(|captured| captured.payload.len()).sum())
    }

    fn captured(&self) -> Result<Vec<Captured>> {
        let records = self.programs.records()?;
        let segment = |record: &Vec<u8>| match event::decode(record, 0) {
            Ok(Event::Segment(segment)) => Captured::from(segment),
            other => panic!("a TC program sends segments, not {other:?}"),
        };
        Ok(records.iter().map(segment).collect())
    }

    /// Makes the flow of `packet` known, and decides on this direction of it.
    fn decide(&self, packet: &Packet, verdict: Verdict) -> Result<Cell> {
        let cell = self.one(packet)?.cell;
        self.verdicts.set(cell, verdict);
        Ok(cell)
    }
}

fn head() -> Packet {
    Packet::new(CLIENT, SERVER, HEAD)
}

fn head_v6() -> Packet {
    Packet::new(CLIENT_V6, SERVER_V6, HEAD)
}

/// Bytes of which no two neighbours are alike, so that a shift would show.
fn payload(len: usize) -> Vec<u8> {
    let numbers = (0_u8..251).cycle();
    b"HTTP/1.1 ".iter().copied().chain(numbers).take(len).collect()
}
