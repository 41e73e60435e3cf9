//! What a TC program costs a packet, over an empty program, by BPF_PROG_TEST_RUN.
//!
//! Programs take turns, so that what else the machine does slows all of them alike, and the median
//! of many turns counts.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use e2e::packets::Packet;
use e2e::programs::{self, Programs, RING_BYTES};
use headertap::capture::Verdicts;
use headertap::event::{self, Event};
use headertap::flow::{Cell, Verdict};
use libbpf_rs::ProgramMut;

use super::Row;

/// Turns of every program.
const TURNS: usize = 101;
/// Runs a turn of a program that leaves nothing in the ring.
const RUNS: u32 = 20_000;
/// Runs a turn of one that does: less than an eighth of the ring, which is then read, as a reader
/// that keeps up would.
const CAPTURE_RUNS: u32 = 1_500;
const HEADER_BYTES: usize = 512;
const BULK_BYTES: usize = 1400;
/// Of a QUIC packet that fills a datagram (RFC 9000 section 14).
const QUIC_BYTES: usize = 1200;

/// The same frame around nothing: what every other program is compared with.
const EMPTY: &str = r#"
__attribute__((section("tcx/egress"), used)) int empty(void *skb)
{
	(void)skb;
	return -1;
}
"#;

/// What takes turns: a program, a packet, and how many runs a turn has.
struct Case<'a> {
    program: &'a ProgramMut<'a>,
    frame: Vec<u8>,
    runs: u32,
    turns: Vec<u64>,
}

impl<'a> Case<'a> {
    fn new(program: &'a ProgramMut<'a>, packet: &Packet, runs: u32) -> Self {
        Self { program, frame: packet.frame(), runs, turns: Vec::new() }
    }

    fn turn(&mut self) -> Result<()> {
        let outcome = programs::run(self.program, &self.frame, 0, self.runs)?;
        self.turns.push(u64::try_from(outcome.duration.as_nanos())?);
        Ok(())
    }

    /// Mean nanoseconds a packet, the median of all turns.
    fn median(&mut self) -> f64 {
        self.turns.sort_unstable();
        self.turns[self.turns.len() / 2] as f64
    }
}

pub(crate) fn rows() -> Result<Vec<Row>> {
    let other = programs::load_other(&compile(EMPTY)?)?;
    let empty = other.progs_mut().next().context("the object has one program")?;
    let loaded = Programs::load(RING_BYTES)?;
    let ours = loaded.program("tc_egress");
    let verdicts = Verdicts::map(&loaded.map("flows"))?;
    let (head, done, skip) = (head(), with_port(&head(), 1001), with_port(&head(), 1002));
    let data = with_port(&head, 1003);
    verdicts.set(known(&loaded, &done)?, Verdict::Done);
    verdicts.set(known(&loaded, &skip)?, Verdict::SkipUntil(skip.seq + (1 << 30)));
    verdicts.set(known(&loaded, &data)?, Verdict::Frames(data.seq + (1 << 24)));
    let bulk = |packet: Packet| Packet { payload: vec![7; BULK_BYTES], ..packet };
    let ack = Packet { payload: Vec::new(), ..head.clone() };
    let quic = Packet::datagram("10.0.0.1:1000", "10.0.0.2:443", &[0x43; QUIC_BYTES]);
    let mut cases = [
        Case::new(&empty, &head, RUNS),
        Case::new(&ours, &bulk(done), RUNS),
        Case::new(&ours, &bulk(skip), RUNS),
        Case::new(&ours, &bulk(data), RUNS),
        Case::new(&ours, &ack, RUNS),
        Case::new(&ours, &quic, RUNS),
        Case::new(&ours, &head, CAPTURE_RUNS),
    ];
    for _ in 0..TURNS {
        for case in &mut cases {
            case.turn()?;
        }
        let captured = loaded.records()?.len();
        ensure!(captured == CAPTURE_RUNS as usize, "{captured} records of {CAPTURE_RUNS}");
    }
    let [empty, done, skip, data, ack, quic, capture] = cases.each_mut().map(Case::median);
    let row = |what, target, bound: f64, ns: f64| {
        let ratio = ns / empty;
        let measured = format!("{ratio:.2}: {ns} ns, empty program {empty} ns");
        Row::new(what, target, measured, ratio <= bound)
    };
    Ok(vec![
        row("1 bulk packet, flow is done / empty", "<= 1.5", 1.5, done),
        row("1 bulk packet, body is skipped / empty", "<= 1.5", 1.5, skip),
        row("1 bulk packet, in DATA of HTTP/2 / empty", "<= 1.5", 1.5, data),
        row("1 bulk datagram, not DNS / empty", "<= 1.5", 1.5, quic),
        row("2 pure ACK / empty", "<= 1.3", 1.3, ack),
        row("3 header of 512 bytes captured / empty", "<= 7", 7.0, capture),
    ])
}

fn head() -> Packet {
    let mut payload = b"GET / HTTP/1.1\r\nhost: a\r\nx: ".to_vec();
    payload.resize(HEADER_BYTES, b'x');
    Packet::new("10.0.0.1:1000", "10.0.0.2:80", &payload)
}

fn with_port(packet: &Packet, port: u16) -> Packet {
    let mut packet = packet.clone();
    packet.source.set_port(port);
    packet
}

/// Makes a flow known by its first segment, and gives its cell.
fn known(programs: &Programs, head: &Packet) -> Result<Cell> {
    programs.run("tc_egress", &head.frame(), 0)?;
    let records = programs.records()?;
    let record = records.first().context("a head is captured")?;
    match event::decode(record, 0)? {
        Event::Segment(segment) => Ok(segment.cell),
        _ => anyhow::bail!("a TC program made no segment of a TCP packet"),
    }
}

fn compile(source: &str) -> Result<Vec<u8>> {
    let mut clang = Command::new("clang")
        .args(["-target", "bpf", "-mcpu=v3", "-O2", "-x", "c", "-c", "-", "-o", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("clang cannot be started: make setup installs it")?;
    clang.stdin.take().context("it is piped")?.write_all(source.as_bytes())?;
    let output = clang.wait_with_output()?;
    ensure!(output.status.success(), "clang: {}", output.status);
    Ok(output.stdout)
}
