//! Whole captures through the TC programs, and what is read of what comes out of the ring: the same
//! records as `replay` makes of the same packets.
//!
//! Frames leave on a real interface, so every shape and size is taken. Verdicts are written at
//! once, as by a user space that is never late.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use e2e::packets::ETHERNET_BYTES;
use headertap::correlate::{Correlator, Found};
use headertap::event::{self, Datagram, Event, Segment};
use headertap::flow::Timestamp;
use headertap::packet::{self, Captured, Fragments, LinkType, Packet};
use headertap::stats::Account;

use super::Kernel;
use super::captures::{Capture, Frame, files_below, made, read};
use super::wire::{AS_IT_IS, Attached, Sender, Wire};

/// How often silent flows are forgotten, in frames.
const EXPIRE_EVERY: usize = 1000;
/// What a cell is before any flow has it.
const NO_FLOW: [u8; 32] = [0; 32];

/// One way from packets to records.
struct Reader {
    correlator: Correlator,
    found: Vec<Found>,
    frames: usize,
}

impl Reader {
    fn new() -> Self {
        let correlator = Correlator::new([0; 16], 0, Arc::new(Account::default())).of_files();
        Self { correlator, found: Vec::new(), frames: 0 }
    }

    fn segment(&mut self, segment: &Segment<'_>) {
        self.correlator.segment(segment, Timestamp(0), &mut self.found);
    }

    fn datagram(&mut self, datagram: &Datagram<'_>) {
        self.correlator.datagram(datagram, None, Timestamp(0), &mut self.found);
    }

    fn next_frame(&mut self, at: Timestamp) {
        self.frames += 1;
        if self.frames.is_multiple_of(EXPIRE_EVERY) {
            self.correlator.expire(at, &mut self.found);
        }
    }

    /// Everything that was read, a text for each record.
    fn records(mut self, at: Timestamp) -> Vec<String> {
        self.correlator.finish(at, &mut self.found);
        let text = |record: &dyn Debug| format!("{record:#?}");
        let record = |found: &Found| match found {
            Found::Exchange(exchange) => Some(text(exchange)),
            Found::Handshake(handshake) => Some(text(handshake)),
            Found::Lookup(lookup) => Some(text(lookup)),
            Found::Connection(_) | Found::Verdict(..) => None,
        };
        let mut records: Vec<String> = self.found.iter().filter_map(record).collect();
        records.sort();
        records
    }
}

/// What is known to be read by one of both ways alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// There is less of a packet than its IP header says, be it that the capture kept no more of
    /// it: the kernel side has whole ones, and IP takes no others.
    Cut,
    /// IP fragments, which the kernel side counts and passes over.
    Fragment,
    /// Packets within packets.
    Tunnel,
    /// A frame that no interface sends.
    NoFrame,
}

/// What became of one capture.
struct Compared {
    replayed: Vec<String>,
    observed: Vec<String>,
    causes: BTreeSet<Cause>,
}

/// The kernel side, on an interface.
struct Bench<'a> {
    kernel: &'a Kernel,
    sender: &'a Sender,
    /// Cells that flows of this capture have had.
    cells: BTreeSet<u32>,
}

impl Bench<'_> {
    /// Sends a frame, and reads what comes out of the ring. Gives how many records that were.
    fn frame(&mut self, frame: &Frame, reader: &mut Reader) -> Result<Option<usize>> {
        let is_frame = frame.bytes.len() >= ETHERNET_BYTES;
        if !is_frame || self.sender.send(&frame.bytes, AS_IT_IS).is_err() {
            return Ok(None);
        }
        let records = self.kernel.programs.records()?;
        for record in &records {
            match event::decode(record, 0)? {
                Event::Segment(segment) => {
                    self.cells.insert(segment.cell.index);
                    // The socket is the test's own.
                    reader.segment(&Segment { at: frame.at, socket_cookie: 0, ..segment });
                }
                Event::Datagram(datagram) => {
                    let datagram = Datagram { at: frame.at, socket_cookie: 0, ..datagram };
                    reader.datagram(&Datagram { owner: None, ..datagram });
                }
                Event::Socket(_) => {}
            }
            self.write_verdicts(reader);
        }
        Ok(Some(records.len()))
    }

    fn write_verdicts(&self, reader: &mut Reader) {
        for found in &reader.found {
            if let Found::Verdict(cell, verdict) = found {
                self.kernel.verdicts.set(*cell, *verdict);
            }
        }
        reader.found.retain(|found| !matches!(found, Found::Verdict(..)));
    }

    /// Makes every flow unknown again.
    fn forget(&mut self) -> Result<()> {
        for cell in std::mem::take(&mut self.cells) {
            self.kernel.programs.set_flow(cell / 2, &NO_FLOW)?;
        }
        Ok(())
    }
}

/// Reads a frame as `replay` does, and says what of it the kernel side does not read.
fn replay(frame: &Frame, fragments: &mut Fragments, reader: &mut Reader) -> BTreeSet<Cause> {
    let mut causes = BTreeSet::new();
    let captured = Captured::new(&frame.bytes, frame.len);
    if frame.bytes.len() < frame.len || frame.bytes.len() < said_length(&frame.bytes) {
        causes.insert(Cause::Cut);
    }
    let mut take = |packet: &Packet<'_>| match packet {
        Packet::Segment(segment) => reader.segment(segment),
        Packet::Datagram(datagram) => reader.datagram(datagram),
        Packet::Fragment(_) | Packet::Other => {}
    };
    match packet::decode(LinkType(1), captured, frame.at) {
        Ok(Packet::Fragment(fragment)) => {
            causes.insert(Cause::Fragment);
            if let Some(whole) = fragments.add(&fragment, 1, &mut |_, _| {})
                && let Ok(packet) = packet::decode_whole(&whole)
            {
                take(&packet);
            }
        }
        Ok(packet) => {
            if is_in_tunnel(&frame.bytes, &packet) {
                causes.insert(Cause::Tunnel);
            }
            take(&packet);
        }
        Err(_) => {}
    }
    causes
}

/// The EtherType behind up to two tags, and what follows it.
fn network_of(frame: &[u8]) -> (u16, &[u8]) {
    let mut at = 12;
    loop {
        let Some([high, low, rest @ ..]) = frame.get(at..) else { return (0, &[]) };
        match u16::from_be_bytes([*high, *low]) {
            0x8100 | 0x88a8 if at < 20 => at += 4,
            kind => return (kind, rest),
        }
    }
}

/// How long a frame is at least, by its IP header.
fn said_length(frame: &[u8]) -> usize {
    let (kind, packet) = network_of(frame);
    let before = frame.len() - packet.len();
    let said = |at: usize| {
        let length =
            packet.get(at..at + 2).map(|length| u16::from_be_bytes([length[0], length[1]]));
        usize::from(length.unwrap_or(0))
    };
    match kind {
        0x0800 => before + said(2),
        0x86dd => before + 40 + said(4),
        _ => 0,
    }
}

/// Whether the outermost IP header is not that of the packet, or there is more before it than
/// Ethernet and two tags.
fn is_in_tunnel(frame: &[u8], packet: &Packet<'_>) -> bool {
    let source = match packet {
        Packet::Segment(segment) => segment.tuple.source.address,
        Packet::Datagram(datagram) => datagram.tuple.source.address,
        Packet::Fragment(_) | Packet::Other => return false,
    };
    let (kind, packet) = network_of(frame);
    let address = match kind {
        0x0800 => packet.get(12..16).map(|v4| [&[0; 10][..], &[0xff; 2], v4].concat()),
        0x86dd => packet.get(8..24).map(<[u8]>::to_vec),
        _ => None,
    };
    address.as_deref() != Some(&source)
}

fn compare(capture: &Capture, bench: &mut Bench<'_>) -> Result<Compared> {
    let (mut replayed, mut observed) = (Reader::new(), Reader::new());
    let mut fragments = Fragments::default();
    let mut causes = BTreeSet::new();
    let mut last = Timestamp(0);
    for frame in &capture.frames {
        last = frame.at;
        replayed.next_frame(frame.at);
        observed.next_frame(frame.at);
        causes.extend(replay(frame, &mut fragments, &mut replayed));
        if bench.frame(frame, &mut observed)?.is_none() {
            causes.insert(Cause::NoFrame);
        }
    }
    bench.forget()?;
    let (replayed, observed) = (replayed.records(last), observed.records(last));
    Ok(Compared { replayed, observed, causes })
}

/// Those of `a` that are not in `b`, both in order.
fn without<'a>(a: &'a [String], b: &[String]) -> Vec<&'a String> {
    let mut rest: Vec<&String> = b.iter().collect();
    a.iter()
        .filter(|record| match rest.iter().position(|other| other == record) {
            Some(at) => {
                rest.swap_remove(at);
                false
            }
            None => true,
        })
        .collect()
}

/// Lines that are in one of two records alone.
fn difference(a: &str, b: &str) -> Vec<String> {
    let lines = |text: &str| text.lines().map(str::trim).map(str::to_owned).collect::<Vec<_>>();
    let (a, b) = (lines(a), lines(b));
    let only = |sign, of: &[String], not: &[String]| {
        without(of, not).into_iter().map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
    };
    [only('-', &a, &b), only('+', &b, &a)].concat()
}

/// Says how the two ways differ, and gives whether that is without a known cause.
fn tell(name: &str, compared: &Compared) -> bool {
    let missing = without(&compared.replayed, &compared.observed);
    let more = without(&compared.observed, &compared.replayed);
    if missing.is_empty() && more.is_empty() {
        return false;
    }
    println!(
        "{name}: {} of {} records are missing, {} are other ones; known causes: {:?}",
        missing.len(),
        compared.replayed.len(),
        more.len(),
        compared.causes
    );
    let unknown = compared.causes.is_empty();
    if unknown {
        for (missing, more) in missing.iter().zip(&more) {
            println!("{}", difference(missing, more).join("\n"));
        }
    }
    unknown
}

fn corpus() -> Result<Vec<Capture>> {
    let Some(folder) = env::var_os("HEADERTAP_CORPUS") else {
        println!("HEADERTAP_CORPUS is not set: ONLY what this test makes is compared");
        return Ok(made());
    };
    let mut captures = made();
    let mut others = 0;
    for path in files_below(&Path::new(&folder).join("pcap"))? {
        match read(&path).with_context(|| path.display().to_string())? {
            Some(capture) => captures.push(capture),
            None => others += 1,
        }
    }
    println!("{others} files are no captures of Ethernet, which are not compared");
    Ok(captures)
}

#[test]
fn captures_through_the_kernel_give_the_records_of_replay() -> Result<()> {
    let captures = corpus()?;
    let (mut records, mut equal, mut unknown) = (0, 0, Vec::new());
    let mut by_cause: BTreeMap<BTreeSet<Cause>, usize> = BTreeMap::new();
    Wire::with(|wire| {
        super::wire::set_largest_frame()?;
        let kernel = Kernel::new()?;
        let _attached = Attached::egress(&kernel, wire.near)?;
        let sender = Sender::new(wire.near)?;
        kernel.programs.records()?;
        let mut bench = Bench { kernel: &kernel, sender: &sender, cells: BTreeSet::new() };
        for capture in &captures {
            let compared = compare(capture, &mut bench)?;
            records += compared.replayed.len();
            let differs = compared.replayed != compared.observed;
            equal += usize::from(!differs);
            if tell(&capture.name, &compared) {
                unknown.push(capture.name.clone());
            } else if differs {
                *by_cause.entry(compared.causes).or_default() += 1;
            }
        }
        Ok(())
    })?;
    println!(
        "{equal} of {} captures with {records} records are the same; known causes: {by_cause:?}",
        captures.len()
    );
    assert!(records > 0, "nothing was read");
    assert!(unknown.is_empty(), "differences without a known cause in {unknown:?}");
    Ok(())
}
