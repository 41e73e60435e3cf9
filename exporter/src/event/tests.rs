//! Records as `bpf/event.h` lays them out, written here byte by byte.

use proptest::prelude::{any, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::{Error, Event, SocketChange, SocketRole, TcpFlags, decode};
use crate::flow::{Cell, Endpoint, Timestamp};

const SEGMENT_BYTES: usize = 88;
const SOCKET_BYTES: usize = 136;
const DATAGRAM_BYTES: usize = 104;

fn header(kind: u8) -> Vec<u8> {
    let mut record = Vec::new();
    record.extend(1000_u64.to_ne_bytes());
    record.extend(77_u64.to_ne_bytes());
    record.extend([0xa; 16]);
    record.extend([0xb; 16]);
    record.extend(1234_u16.to_ne_bytes());
    record.extend(80_u16.to_ne_bytes());
    record.extend([kind, 0xff, 0xff, 0xff]);
    record
}

fn segment(len: u32, cap_len: u32, payload: &[u8]) -> Vec<u8> {
    let mut record = header(1);
    for word in [5, 6, len, cap_len, 9, 0x00ab_cdef, 2] {
        record.extend(u32::to_ne_bytes(word));
    }
    record.extend([24, 0xff, 0xff, 0xff]);
    record.extend(payload);
    record
}

fn datagram(pid: u32, len: u32, cap_len: u32, payload: &[u8]) -> Vec<u8> {
    let mut record = header(6);
    record.extend(owner(pid));
    for word in [len, cap_len, 5] {
        record.extend(u32::to_ne_bytes(word));
    }
    record.extend([1, 0xff, 0xff, 0xff]);
    record.extend(payload);
    record
}

fn owner(pid: u32) -> Vec<u8> {
    let mut owner = Vec::new();
    owner.extend(pid.to_ne_bytes());
    owner.extend(1000_u32.to_ne_bytes());
    owner.extend(3_u64.to_ne_bytes());
    owner.extend(*b"nginx\0rest-of-it");
    owner
}

fn socket(kind: u8, role: u8) -> Vec<u8> {
    let mut record = header(kind);
    record.extend(owner(4242));
    for totals in [100_u64, 200] {
        record.extend(totals.to_ne_bytes());
    }
    for totals in [1_u32, 2, 3, 4, 5, 6, 4_026_531_840] {
        record.extend(totals.to_ne_bytes());
    }
    record.extend([role, 9, 0xff, 0xff]);
    record
}

#[test]
fn a_segment_has_every_field_in_its_place() {
    let record = segment(3000, 4, b"GET what the ring held before");
    let Ok(Event::Segment(segment)) = decode(&record, 500) else {
        panic!("it is a segment");
    };
    assert_eq!(segment.at, Timestamp(1500));
    assert_eq!(segment.tuple.source, Endpoint { address: [0xa; 16], port: 1234 });
    assert_eq!(segment.tuple.destination, Endpoint { address: [0xb; 16], port: 80 });
    assert_eq!((segment.socket_cookie, segment.seq, segment.ack), (77, 5, 6));
    assert_eq!((segment.len, segment.payload), (3000, &b"GET "[..]));
    assert_eq!(segment.flags, TcpFlags(24));
    assert_eq!(segment.cell, Cell { index: 9, tag: 0x00ab_cdef });
}

#[test]
fn a_datagram_has_every_field_in_its_place() {
    let record = datagram(4242, 3000, 4, b"\x12\x34\x01\x00 what the ring held before");
    let Ok(Event::Datagram(datagram)) = decode(&record, 500) else {
        panic!("it is a datagram");
    };
    assert_eq!(datagram.at, Timestamp(1500));
    assert_eq!(datagram.tuple.source, Endpoint { address: [0xa; 16], port: 1234 });
    assert_eq!(datagram.tuple.destination, Endpoint { address: [0xb; 16], port: 80 });
    assert_eq!((datagram.socket_cookie, datagram.sighting), (77, 5 << 1 | 1));
    assert_eq!((datagram.len, datagram.payload), (3000, &b"\x12\x34\x01\x00"[..]));
    let owner = datagram.owner.expect("it has one");
    assert_eq!((owner.pid, owner.comm.as_str()), (4242, "nginx"));
}

#[test]
fn a_datagram_of_no_process_has_no_owner() {
    let record = datagram(0, 1, 1, b"x");
    assert!(
        matches!(decode(&record, 0), Ok(Event::Datagram(datagram)) if datagram.owner.is_none())
    );
}

#[test]
fn a_socket_event_has_every_field_in_its_place() {
    let record = socket(3, 2);
    let Ok(Event::Socket(event)) = decode(&record, 0) else {
        panic!("it is a socket's");
    };
    assert_eq!(
        (event.change, event.role, event.old_state),
        (SocketChange::Close, SocketRole::Server, 9)
    );
    assert_eq!((event.owner.pid, event.owner.comm.as_str()), (4242, "nginx"));
    assert_eq!((event.socket_cookie, event.netns_inode), (77, 4_026_531_840));
    let totals = event.totals;
    assert_eq!((totals.bytes_sent, totals.bytes_received), (100, 200));
    assert_eq!((totals.packets_sent, totals.packets_received, totals.retransmits), (1, 2, 3));
    assert_eq!((totals.srtt_us, totals.min_rtt_us, totals.cwnd), (4, 5, 6));
}

#[test]
fn every_prefix_of_a_record_is_an_error() {
    let records = [
        segment(4, 4, b"abcd"),
        socket(2, 1),
        socket(3, 1),
        socket(4, 1),
        socket(5, 0),
        datagram(1, 4, 4, b"abcd"),
    ];
    for record in &records {
        assert!(decode(record, 0).is_ok());
        for cut in 0..record.len() {
            assert!(decode(&record[..cut], 0).is_err(), "kind {} cut at {cut}", record[52]);
        }
    }
    assert_eq!((records[0].len(), records[1].len()), (SEGMENT_BYTES + 4, SOCKET_BYTES));
    assert_eq!(records[5].len(), DATAGRAM_BYTES + 4);
}

#[test]
fn a_kind_that_is_not_known_is_named() {
    for kind in [0, 7, 255] {
        assert_eq!(decode(&header(kind), 0), Err(Error::Kind(kind)));
    }
}

#[test]
fn a_claim_of_more_payload_than_there_is_is_an_error() {
    let record = segment(10, 5, b"abcd");
    assert_eq!(decode(&record, 0), Err(Error::Payload { claimed: 5, present: 4 }));
}

#[test]
fn a_command_name_without_an_end_is_whole() {
    let mut record = socket(2, 1);
    record[72..88].copy_from_slice(b"sixteen-bytes-16");
    let Ok(Event::Socket(event)) = decode(&record, 0) else {
        panic!("it is a socket's");
    };
    assert_eq!(event.owner.comm, "sixteen-bytes-16");
}

#[test]
fn a_clock_offset_never_wraps() {
    let record = segment(0, 0, b"");
    let Ok(Event::Segment(segment)) = decode(&record, u64::MAX) else {
        panic!("it is a segment");
    };
    assert_eq!(segment.at, Timestamp(u64::MAX));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(
        kind in any::<u8>(),
        mut bytes in prop::collection::vec(any::<u8>(), 0..400),
        offset in any::<u64>(),
    ) {
        if let Some(place) = bytes.get_mut(52) {
            *place = kind % 8;
        }
        match decode(&bytes, offset) {
            Ok(Event::Segment(segment)) => {
                prop_assert!(segment.payload.len() <= bytes.len() - SEGMENT_BYTES);
            }
            Ok(Event::Datagram(datagram)) => {
                prop_assert!(datagram.payload.len() <= bytes.len() - DATAGRAM_BYTES);
            }
            _ => {}
        }
    }

    #[test]
    fn the_payload_is_what_was_captured_and_never_more(
        len in 0..4000_u32,
        cap_len in 0..4000_u32,
        payload in prop::collection::vec(any::<u8>(), 0..4000),
    ) {
        let record = segment(len, cap_len, &payload);
        let captured = usize::try_from(len.min(cap_len)).expect("small");
        match decode(&record, 0) {
            Ok(Event::Segment(segment)) => prop_assert_eq!(Some(segment.payload), payload.get(..captured)),
            other => {
                let refused = matches!(other, Err(Error::Payload { .. }));
                prop_assert!(refused && captured > payload.len());
            }
        }
    }
}
