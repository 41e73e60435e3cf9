//! Files in every form, cut anywhere, and damaged.

use std::io::{self, Read, Write};
use std::sync::Arc;

use etherparse::PacketBuilder;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::{any, prop};
use proptest::{prop_assert_eq, proptest};

use super::{Ending, Error, Replay, Sink};
use crate::event::Event;
use crate::packet::LinkType;
use crate::stats::{Account, Cause, Outcome, Unit};
use captures::Order;

mod captures;

/// Of an interface: codes and values.
type Options<'a> = &'a [(u16, &'a [u8])];

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const ORDERS: [Order; 2] = [Order::Little, Order::Big];
const ETHERNET: u16 = 1;
const USB: u16 = 220;

/// What came of a file: when, and with which payload.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    events: Vec<(u64, Vec<u8>)>,
    unread: Vec<LinkType>,
    idle: u32,
}

impl Sink for Found {
    fn event(&mut self, event: Event<'_>) -> bool {
        let (at, payload) = match event {
            Event::Segment(segment) => (segment.at, segment.payload),
            Event::Datagram(datagram) => (datagram.at, datagram.payload),
            Event::Socket(_) => panic!("there are none in files"),
        };
        self.events.push((at.0, payload.to_vec()));
        true
    }

    fn idle(&mut self) -> bool {
        self.idle += 1;
        self.idle < 3
    }

    fn unread(&mut self, link: LinkType) {
        self.unread.push(link);
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([1; 6], [2; 6])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(1000, 80, 7, 512)
        .write(&mut frame, payload)
        .expect("a vector takes all");
    frame
}

fn read(file: &[u8]) -> (Result<Ending, Error>, Found, Arc<Account>) {
    read_by(io::Cursor::new(file.to_vec()))
}

fn read_by(file: impl Read + 'static) -> (Result<Ending, Error>, Found, Arc<Account>) {
    let account = Arc::new(Account::default());
    let (mut replay, mut found) = (Replay::new(account.clone()), Found::default());
    let ending = replay.file(Box::new(file), &mut found);
    replay.finish();
    for (name, row) in account.rows() {
        let is_shared = ["segments", "datagrams"].contains(&name);
        assert!(is_shared || row.pending() == 0, "{name}: {row:?}");
    }
    (ending, found, account)
}

/// What a whole file is to give.
fn whole(file: &[u8]) -> Found {
    let (ending, found, _) = read(file);
    assert_eq!(ending.expect("it is a capture"), Ending::Whole);
    found
}

fn lost(account: &Account, cause: Cause) -> u64 {
    account.row(Unit::Packets).count(Outcome::Lost(cause))
}

fn lengths(frame: &[u8]) -> u32 {
    u32::try_from(frame.len()).expect("a frame is short")
}

fn pcap_of(order: Order, magic: u32, at: (u32, u32)) -> Vec<u8> {
    let frame = frame(b"GET");
    let record = captures::record(order, at, lengths(&frame), &frame);
    [captures::pcap(order, magic, ETHERNET.into()), record].concat()
}

/// Two packets on one interface whose clock ticks as `options` say.
fn pcapng_of(order: Order, options: Options<'_>, ticks: [u64; 2]) -> Vec<u8> {
    let (one, two) = (frame(b"GET"), frame(b"POST"));
    [
        captures::section(order),
        captures::interface(order, ETHERNET, 0, options),
        captures::packet(order, 0, ticks[0], lengths(&one), &one),
        captures::packet(order, 0, ticks[1], lengths(&two), &two),
    ]
    .concat()
}

#[test]
fn pcap_is_read_in_either_byte_order_and_resolution() {
    for order in ORDERS {
        let found = whole(&pcap_of(order, MICROSECONDS, (1_400_000_000, 5)));
        assert_eq!(found.events, [(1_400_000_000_000_005_000, b"GET".to_vec())]);
        let found = whole(&pcap_of(order, NANOSECONDS, (1_400_000_000, 5)));
        assert_eq!(found.events, [(1_400_000_000_000_000_005, b"GET".to_vec())]);
    }
}

#[test]
fn pcap_may_tell_of_frame_check_sequences() {
    let mut file = pcap_of(Order::Little, MICROSECONDS, (1, 0));
    file[23] = 0x30;
    assert_eq!(whole(&file).events.len(), 1);
}

#[test]
fn pcapng_times_are_in_the_interfaces_own_ticks() {
    let tsresol = 9;
    let tsoffset = 14;
    for order in ORDERS {
        let offset = |seconds: i64| match order {
            Order::Little => seconds.to_le_bytes(),
            Order::Big => seconds.to_be_bytes(),
        };
        let (later, earlier) = (offset(1_400_000_000), offset(-1));
        let cases: [(Options<'_>, u64, u64); 6] = [
            (&[], 1_400_000_000_000_005, 1_400_000_000_000_005_000),
            (&[(tsresol, &[9])], 1_400_000_000_000_000_005, 1_400_000_000_000_000_005),
            (&[(tsresol, &[0])], 1_400_000_000, 1_400_000_000_000_000_000),
            (&[(tsresol, &[0x81])], 2_800_000_001, 1_400_000_000_500_000_000),
            (&[(tsresol, &[6]), (tsoffset, &later)], 7, 1_400_000_000_000_007_000),
            (&[(tsoffset, &earlier)], 2_000_000, 1_000_000_000),
        ];
        for (options, ticks, ns) in cases {
            let found = whole(&pcapng_of(order, options, [ticks, ticks]));
            assert_eq!(found.events[0].0, ns, "{order:?} {options:?}");
        }
    }
}

#[test]
fn each_interface_has_its_own_link_type() {
    for order in ORDERS {
        let frame = frame(b"GET");
        let file = [
            captures::section(order),
            captures::interface(order, ETHERNET, 0, &[]),
            captures::interface(order, 101, 0, &[(9, &[9])]),
            captures::interface(order, USB, 0, &[]),
            captures::packet(order, 1, 5, lengths(&frame) - 14, &frame[14..]),
            captures::packet(order, 2, 6, 4, b"usb!"),
            captures::packet(order, 0, 7, lengths(&frame), &frame),
            captures::packet(order, 2, 8, 4, b"usb!"),
            captures::packet(order, 3, 9, 4, b"none"),
        ]
        .concat();
        let (ending, found, account) = read(&file);
        assert_eq!(ending.expect("it is a capture"), Ending::Whole);
        assert_eq!(found.events, [(5, b"GET".to_vec()), (7000, b"GET".to_vec())]);
        assert_eq!(found.unread, [LinkType(USB)], "it is said once");
        assert_eq!(lost(&account, Cause::LinkType), 2);
        assert_eq!(lost(&account, Cause::Malformed), 1, "no interface has that number");
        assert_eq!(account.row(Unit::Packets).seen(), 5);
    }
}

#[test]
fn a_section_forgets_the_interfaces_before_it() {
    let frame = frame(b"GET");
    let file = [
        pcapng_of(Order::Little, &[], [1, 2]),
        captures::section(Order::Big),
        captures::packet(Order::Big, 0, 1, lengths(&frame), &frame),
        captures::interface(Order::Big, ETHERNET, 0, &[]),
        captures::packet(Order::Big, 0, 1, lengths(&frame), &frame),
    ]
    .concat();
    let (_, found, account) = read(&file);
    assert_eq!(found.events.len(), 3);
    assert_eq!(lost(&account, Cause::Malformed), 1);
}

#[test]
fn packets_of_the_older_and_the_simple_form_are_read() {
    for order in ORDERS {
        let (one, two) = (frame(b"GET"), frame(b"POST"));
        let snap_len = lengths(&two) - 1;
        let file = [
            captures::section(order),
            captures::interface(order, ETHERNET, snap_len, &[]),
            captures::old_packet(order, 0, 9, &one),
            captures::simple_packet(order, lengths(&two), &two[..two.len() - 1]),
            captures::block(order, 0xbad, b"of a kind that nobody knows"),
        ]
        .concat();
        let found = whole(&file);
        // A simple packet does not tell when: no earlier than the one before it.
        assert_eq!(found.events, [(9000, b"GET".to_vec()), (9000, b"POS".to_vec())]);
    }
}

#[test]
fn what_a_snap_length_took_is_known_to_be_missing() {
    let frame = frame(b"GET / HTTP/1.1");
    let record = captures::record(Order::Little, (1, 0), lengths(&frame), &frame[..60]);
    let file = [captures::pcap(Order::Little, MICROSECONDS, 1), record].concat();
    struct Lengths(Vec<(u32, usize)>);
    impl Sink for Lengths {
        fn event(&mut self, event: Event<'_>) -> bool {
            let Event::Segment(segment) = event else { panic!("it is a segment") };
            self.0.push((segment.len, segment.payload.len()));
            true
        }
        fn idle(&mut self) -> bool {
            true
        }
        fn unread(&mut self, _: LinkType) {}
    }
    let mut lengths = Lengths(Vec::new());
    Replay::new(Arc::default()).file(Box::new(io::Cursor::new(file)), &mut lengths).expect("it is");
    assert_eq!(lengths.0, [(14, 6)]);
}

#[test]
fn gzip_is_unpacked() {
    let file = pcapng_of(Order::Little, &[], [1, 2]);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&file).expect("a vector takes all");
    let packed = packed.finish().expect("a vector takes all");
    assert_eq!(whole(&packed), whole(&file));
    let (ending, ..) = read(&packed[..packed.len() / 2]);
    assert!(matches!(ending, Ok(Ending::Cut { .. }) | Err(Error::NotACapture)), "{ending:?}");
}

#[test]
fn what_is_no_capture_is_refused() {
    for file in [&b""[..], b"x", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", &[0x1f, 0x8b, 0, 0]] {
        let (ending, found, _) = read(file);
        assert!(
            matches!(ending, Err(Error::NotACapture | Error::Unreadable { .. })),
            "{file:?}: {ending:?}"
        );
        assert_eq!(found, Found::default());
    }
    let (ending, ..) = read(&captures::pcap(Order::Big, MICROSECONDS, USB.into()));
    let error = ending.expect_err("no packet of it is read").to_string();
    assert_eq!(error, "has packets of link type USB_LINUX_MMAPPED (220), which is not read");
}

/// All packets before the cut are there, and where the cut is, is told.
#[test]
fn a_file_may_be_cut_at_any_byte() {
    for order in ORDERS {
        let one = pcap_of(order, MICROSECONDS, (1, 0));
        let pcap = [&one[..], &one[24..]].concat();
        let ends = [24, one.len(), pcap.len()];
        check_cuts(&pcap, 24, &ends);
        let pcapng = pcapng_of(order, &[], [1, 2]);
        let head = captures::section(order).len();
        let interface = captures::interface(order, ETHERNET, 0, &[]).len();
        // Both frames are padded to the same length.
        let first = usize::midpoint(pcapng.len(), head + interface);
        check_cuts(&pcapng, 12, &[0, head, head + interface, first, pcapng.len()]);
    }
}

/// `ends` are where records end; the packets are the last two.
fn check_cuts(file: &[u8], recognised: usize, ends: &[usize]) {
    let all = whole(file).events;
    for cut in 0..file.len() {
        let (ending, found, _) = read(&file[..cut]);
        if cut < recognised {
            assert!(matches!(ending, Err(Error::NotACapture)), "cut at {cut}: {ending:?}");
            continue;
        }
        let start = *ends.iter().rfind(|end| **end <= cut).expect("they begin at the header's");
        let expected = if start == cut {
            Ending::Whole
        } else {
            Ending::Cut { offset: u64::try_from(start).expect("short") }
        };
        assert_eq!(ending.expect("it is a capture"), expected, "cut at {cut}");
        let packets = ends.iter().skip(ends.len() - 2).filter(|end| **end <= cut).count();
        assert_eq!(found.events, all[..packets], "cut at {cut}");
    }
}

#[test]
fn a_length_that_cannot_be_ends_the_file_there() {
    let mut pcap = pcap_of(Order::Little, MICROSECONDS, (1, 0));
    pcap.extend(captures::record(Order::Little, (1, 0), 9, b""));
    let at = pcap.len() - 8;
    pcap[at..at + 4].fill(0xff);
    let (ending, found, _) = read(&pcap);
    let offset = u64::try_from(pcap.len() - 16).expect("short");
    assert_eq!(ending.expect("it is a capture"), Ending::Damaged { offset });
    assert_eq!(found.events.len(), 1);

    for len in [0_u32, 8, 13, u32::MAX] {
        let mut pcapng = pcapng_of(Order::Little, &[], [1, 2]);
        let at = pcapng.len();
        pcapng.extend(captures::block(Order::Little, 6, b""));
        pcapng[at + 4..at + 8].copy_from_slice(&len.to_le_bytes());
        let (ending, found, _) = read(&pcapng);
        let offset = u64::try_from(at).expect("short");
        assert_eq!(ending.expect("it is a capture"), Ending::Damaged { offset }, "{len}");
        assert_eq!(found.events.len(), 2);
    }
}

#[test]
fn packets_that_are_larger_than_the_window_are_read() {
    let big = vec![7; 1 << 20];
    let frame = frame(b"GET");
    let order = Order::Little;
    let file = [
        captures::section(order),
        captures::interface(order, ETHERNET, 0, &[]),
        captures::block(order, 0xbad, &big),
        captures::packet(order, 0, 1, lengths(&frame), &frame),
    ]
    .concat();
    assert_eq!(whole(&file).events.len(), 1);
}

#[test]
fn a_reader_that_fails_is_told_with_its_place() {
    struct Fails(io::Cursor<Vec<u8>>);
    impl Read for Fails {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::other("the disk is gone")),
                n => Ok(n),
            }
        }
    }
    let file = pcap_of(Order::Little, MICROSECONDS, (1, 0));
    let len = file.len();
    let (ending, found, _) = read_by(Fails(io::Cursor::new(file)));
    let error = ending.expect_err("it cannot be read to its end").to_string();
    assert_eq!(error, format!("cannot be read at byte {len}: the disk is gone"));
    assert_eq!(found.events.len(), 1, "what was there before was read");
}

/// A pipe: now and then there is nothing in it.
#[test]
fn a_reader_without_bytes_is_asked_again_until_nobody_waits() {
    struct Pipe(io::Cursor<Vec<u8>>, bool);
    impl Read for Pipe {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            let all_came = self.0.position() == self.0.get_ref().len() as u64;
            if all_came || self.1 && self.0.position() < 50 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let len = buffer.len().min(25);
            self.0.read(&mut buffer[..len])
        }
    }
    let file = pcap_of(Order::Little, MICROSECONDS, (1, 0));
    let (ending, found, _) = read_by(Pipe(io::Cursor::new(file), true));
    assert_eq!(ending.expect("it is a capture"), Ending::Whole);
    assert_eq!((found.events.len(), found.idle), (1, 3));
}

/// Gives as many bytes a time as it is told.
struct Slow {
    bytes: io::Cursor<Vec<u8>>,
    sizes: Vec<usize>,
    reads: usize,
}

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.reads % self.sizes.len()].min(buffer.len());
        self.reads += 1;
        self.bytes.read(&mut buffer[..size])
    }
}

proptest! {
    #[test]
    fn how_a_file_arrives_makes_no_difference(
        sizes in prop::collection::vec(1_usize..200, 1..20),
        pcapng in any::<bool>(),
    ) {
        let file = if pcapng {
            pcapng_of(Order::Big, &[(9, &[9])], [1, 2])
        } else {
            pcap_of(Order::Little, NANOSECONDS, (1, 2))
        };
        let slow = Slow { bytes: io::Cursor::new(file.clone()), sizes, reads: 0 };
        let (ending, found, _) = read_by(slow);
        prop_assert_eq!(ending.expect("it is a capture"), Ending::Whole);
        prop_assert_eq!(found, whole(&file));
    }

    #[test]
    fn any_damage_is_read_without_a_panic(
        place in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 1..8),
        pcapng in any::<bool>(),
    ) {
        let mut file = if pcapng {
            pcapng_of(Order::Little, &[(9, &[6])], [1, 2])
        } else {
            pcap_of(Order::Little, MICROSECONDS, (1, 2))
        };
        let place = place.index(file.len());
        let end = (place + bytes.len()).min(file.len());
        file[place..end].copy_from_slice(&bytes[..end - place]);
        let (ending, found, _) = read(&file);
        prop_assert_eq!(ending.is_err() && !found.events.is_empty(), false);
    }
}
