//! Records of the ring, from bytes to exchanges.
//!
//! An input is a series of records, each behind a control byte and its length. The control byte
//! chooses between the bytes as they are, a segment of one of eight connections that is in step,
//! and a datagram from or to a resolver, so that the stages behind `event::decode` are reached;
//! bit 6 lets time pass. Checked:
//! nothing panics, the payload is never more than was captured, the account closes.

#![no_main]

use std::sync::Arc;

use headertap::correlate::{Correlator, Found};
use headertap::event::{Event, decode};
use headertap::flow::Timestamp;
use headertap::process::Process;
use headertap::stats::{Account, Outcome, Unit};
use libfuzzer_sys::fuzz_target;

/// `struct segment_event`, as in `bpf/event.h`.
const SEGMENT_BYTES: usize = 88;
/// `struct datagram_event`.
const DATAGRAM_BYTES: usize = 104;
const SECOND_NS: u64 = 1_000_000_000;
const FLAGS: [u8; 8] = [16, 16, 16, 16, 2, 18, 17, 20];

/// Where both directions of the connections stand.
type Places = [[u32; 2]; 8];

/// A segment that follows the one before it, or leaves `hole` bytes out.
fn in_step(control: u8, payload: &[u8], hole: u32, places: &mut Places, boot_ns: u64) -> Vec<u8> {
    let connection = usize::from(control & 7);
    let from_server = usize::from(control >> 3 & 1);
    let flags = if hole == 0 { 16 } else { FLAGS[usize::from(payload.len() as u8 & 7)] };
    let ends = [(1_u8, 40_000 + connection as u16), (2, 80)];
    let [source, destination] = if from_server == 1 { [ends[1], ends[0]] } else { ends };
    let place = &mut places[connection];
    let seq = place[from_server].wrapping_add(hole & 0xff);
    let ack = place[1 - from_server];
    let taken = payload.len() as u32 + u32::from(flags & 3 != 0);
    place[from_server] = seq.wrapping_add(taken);
    let mut record = Vec::with_capacity(SEGMENT_BYTES + payload.len());
    record.extend(boot_ns.to_ne_bytes());
    record.extend(0_u64.to_ne_bytes());
    record.extend([source.0; 16]);
    record.extend([destination.0; 16]);
    record.extend(source.1.to_ne_bytes());
    record.extend(destination.1.to_ne_bytes());
    record.extend([1, 0, 0, 0]);
    let len = payload.len() as u32;
    for word in [seq, ack, len, len, from_server as u32, 7, 1] {
        record.extend(word.to_ne_bytes());
    }
    record.extend([flags, 0, 0, 0]);
    record.extend_from_slice(payload);
    record
}

/// A datagram whose payload is `payload`, of the control byte's process, interface and direction.
fn datagram(control: u8, payload: &[u8], boot_ns: u64) -> Vec<u8> {
    let ends = [(1_u8, 40_000_u16), (2, 53)];
    let [source, destination] = if control & 8 == 0 { ends } else { [ends[1], ends[0]] };
    let mut record = Vec::with_capacity(DATAGRAM_BYTES + payload.len());
    record.extend(boot_ns.to_ne_bytes());
    record.extend(0_u64.to_ne_bytes());
    record.extend([source.0; 16]);
    record.extend([destination.0; 16]);
    record.extend(source.1.to_ne_bytes());
    record.extend(destination.1.to_ne_bytes());
    record.extend([6, 0, 0, 0]);
    record.extend(u32::from(control & 3).to_ne_bytes());
    record.extend([0; 28]);
    for word in [payload.len() as u32, payload.len() as u32, u32::from(control >> 2 & 1)] {
        record.extend(word.to_ne_bytes());
    }
    record.extend([0; 4]);
    record.extend_from_slice(payload);
    record
}

fn check(account: &Account, found: &[Found]) {
    let row = account.row(Unit::Http);
    let given = found.iter().filter(|found| matches!(found, Found::Exchange(_))).count();
    assert_eq!(row.seen(), given as u64 + row.lost());
    let row = account.row(Unit::Dns);
    let given = found.iter().filter(|found| matches!(found, Found::Lookup(_))).count();
    assert_eq!(row.seen(), given as u64 + row.lost() + row.count(Outcome::Filtered));
    let changes = found.iter().filter(|found| matches!(found, Found::Connection(_))).count();
    let row = account.row(Unit::Connections);
    assert_eq!(i128::from(row.seen()), changes as i128 + i128::from(row.seen()) - row.pending());
}

fuzz_target!(|data: &[u8]| {
    let account = Arc::new(Account::default());
    let mut correlator = Correlator::new([7; 16], 1, Arc::clone(&account));
    let (mut found, mut places, mut now) = (Vec::new(), [[0xffff_ff00; 2]; 8], SECOND_NS);
    let mut rest = data;
    while let [control, hole, len, more, tail @ ..] = rest {
        let len = usize::from(*len) | usize::from(*more & 3) << 8;
        let (bytes, tail) = tail.split_at(len.min(tail.len()));
        rest = tail;
        let record = match control >> 7 {
            0 if control & 0x30 == 0x30 => datagram(*control, bytes, now),
            0 => in_step(*control, bytes, u32::from(*hole), &mut places, now),
            _ => bytes.to_vec(),
        };
        if control & 64 != 0 {
            now += SECOND_NS * u64::from(*hole);
            correlator.expire(Timestamp(now), &mut found);
        }
        match decode(&record, 0) {
            Ok(Event::Segment(segment)) => {
                assert!(segment.payload.len() <= record.len() - SEGMENT_BYTES);
                correlator.segment(&segment, Timestamp(now), &mut found);
            }
            Ok(Event::Socket(socket)) => {
                let process = Process { pid: socket.owner.pid % 4, ..Process::default() };
                correlator.socket(&socket, Arc::new(process), Timestamp(now), &mut found);
            }
            Ok(Event::Datagram(datagram)) => {
                assert!(datagram.payload.len() <= record.len() - DATAGRAM_BYTES);
                let of_pid = |pid| Arc::new(Process { pid: pid % 4, ..Process::default() });
                let process = datagram.owner.as_ref().map(|owner| of_pid(owner.pid));
                correlator.datagram(&datagram, process, Timestamp(now), &mut found);
            }
            Err(_) => {}
        }
        now += 1000;
    }
    correlator.finish(Timestamp(now), &mut found);
    check(&account, &found);
});
