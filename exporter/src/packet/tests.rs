//! One segment on every kind of link; what is cut, what is damaged, what is neither.

use etherparse::PacketBuilder;
use proptest::prelude::{any, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{Captured, Error, LinkType, Packet, decode};
use crate::event::{Datagram, Segment, TcpFlags};
use crate::flow::{Cell, Timestamp};

mod fragments;
mod tunnels;

const AT: Timestamp = Timestamp(1_400_000_000_000_000_042);
const HEAD: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
/// Ethernet's two addresses.
const ADDRESSES: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

const ETHERNET: LinkType = LinkType(1);
const RAW: LinkType = LinkType(101);

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn built<L>(
    step: etherparse::PacketBuilderStep<L>,
    write: impl FnOnce(etherparse::PacketBuilderStep<L>, &mut Vec<u8>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(step, &mut bytes);
    bytes
}

/// 10.0.0.1:1000 to 10.0.0.2:80, or the same ports with IPv6 addresses.
fn tcp(v6: bool) -> Vec<u8> {
    let step = if v6 {
        PacketBuilder::ip(etherparse::IpHeaders::Ipv6(v6_header(), Default::default()))
    } else {
        PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
    };
    let step = step.tcp(1000, 80, 7, 512).ack(9).psh();
    built(step, |step, bytes| step.write(bytes, HEAD).expect("a vector takes all"))
}

fn v6_header() -> etherparse::Ipv6Header {
    let address = |last| std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).octets();
    etherparse::Ipv6Header {
        hop_limit: 64,
        source: address(1),
        destination: address(2),
        ..Default::default()
    }
}

fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let step = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(ports.0, ports.1);
    built(step, |step, bytes| step.write(bytes, payload).expect("a vector takes all"))
}

fn read(link: LinkType, frame: &[u8]) -> Result<Packet<'_>, Error> {
    decode(link, Captured::whole(frame), AT)
}

fn segment<'a>(packet: &Result<Packet<'a>, Error>) -> Segment<'a> {
    let Ok(Packet::Segment(segment)) = packet else { panic!("{packet:?} is no segment") };
    *segment
}

/// Asserts that the frame holds the segment of [`tcp`].
fn assert_holds(link: LinkType, frame: &[u8], v6: bool) {
    let found = segment(&read(link, frame));
    let ends = if v6 {
        ("[2001:db8::1]:1000", "[2001:db8::2]:80")
    } else {
        ("10.0.0.1:1000", "10.0.0.2:80")
    };
    let tuple = (found.tuple.source.to_string(), found.tuple.destination.to_string());
    assert_eq!((tuple.0.as_str(), tuple.1.as_str()), ends, "{link}");
    let expected = Segment {
        at: AT,
        tuple: found.tuple,
        socket_cookie: 0,
        seq: 7,
        ack: 9,
        len: 18,
        flags: TcpFlags(0x18),
        payload: HEAD,
        cell: Cell::default(),
    };
    assert_eq!(found, expected, "{link}");
}

/// Makes what stands before an EtherType's packet.
type Before<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

/// What stands before IPv4, and before IPv6, on links of each type.
fn links() -> Vec<(u16, Vec<u8>, Vec<u8>)> {
    let cooked = |protocol: &[u8]| joined(&[&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], protocol]);
    let cooked_2 = |protocol: &[u8]| joined(&[protocol, &[0; 18]]);
    let snap = |protocol: &[u8]| joined(&[&[0xaa, 0xaa, 3, 0, 0, 0], protocol]);
    let wireless =
        |protocol: &[u8]| joined(&[&[0x88, 1, 0, 0], &[2; 18], &[0, 0, 0, 0], &snap(protocol)]);
    let (v4, v6): (&[u8], &[u8]) = (&[8, 0], &[0x86, 0xdd]);
    let all: [(u16, Before<'_>); 15] = [
        (1, &|protocol| joined(&[&ADDRESSES, protocol])),
        (11, &snap),
        (12, &|_| Vec::new()),
        (50, &|protocol| joined(&[&[0x0f, 0], protocol])),
        (100, &snap),
        (101, &|_| Vec::new()),
        (104, &|protocol| joined(&[&[0x8f, 0], protocol])),
        (105, &wireless),
        (113, &cooked),
        (127, &|protocol| {
            // TSFT and flags; the padding makes the header's 26 bytes 28.
            let radiotap = [0, 0, 17, 0, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x20];
            let header = joined(&[&[0x88, 1, 0, 0], &[2; 18], &[0, 0, 0, 0], &[9, 9]]);
            joined(&[&radiotap, &header, &snap(protocol)])
        }),
        (192, &|protocol| joined(&[&[0, 0, 8, 0, 1, 0, 0, 0], &ADDRESSES, protocol])),
        (258, &|protocol| joined(&[&[12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], &ADDRESSES, protocol])),
        (276, &cooked_2),
        (7, &|protocol| match protocol {
            [8, 0] => vec![1, 2, 240],
            _ => vec![1, 2, 196, 0, 0, 1],
        }),
        (129, &|protocol| match protocol {
            [8, 0] => vec![1, 2, 0, 0, 212, 0, 0, 1],
            _ => vec![1, 2, 0, 0, 196, 0, 0, 1],
        }),
    ];
    let ppp = [0xff, 3, 0, 0x21];
    let ppp_v6 = [0xff, 3, 0, 0x57];
    let short_ppp: [&[u8]; 2] = [&[0x21], &[0x57]];
    let pppoe = |protocol: u8| joined(&[&[0x11, 0, 0, 5, 0, 100], &[0, protocol]]);
    let mut links: Vec<_> =
        all.into_iter().map(|(number, before)| (number, before(v4), before(v6))).collect();
    links.extend([
        (0, vec![2, 0, 0, 0], vec![30, 0, 0, 0]),
        (0, vec![0, 0, 0, 2], vec![0, 0, 0, 10]),
        (0, vec![0, 0, 8, 0], vec![0, 0, 0x86, 0xdd]),
        (108, vec![0, 0, 0, 2], vec![0, 0, 0, 24]),
        (9, ppp.to_vec(), ppp_v6.to_vec()),
        (9, short_ppp[0].to_vec(), short_ppp[1].to_vec()),
        (50, ppp.to_vec(), ppp_v6.to_vec()),
        (51, pppoe(0x21), pppoe(0x57)),
        (166, vec![0, 3, 0, 0x21], vec![1, 3, 0, 0x57]),
        (204, joined(&[&[1], &ppp]), joined(&[&[0], &ppp_v6])),
        (219, vec![0, 0, 0x10, 64, 0, 0, 0x11, 64], vec![0, 0, 0x11, 64]),
        (8, [0; 16].to_vec(), [0; 16].to_vec()),
    ]);
    links
}

#[test]
fn every_link_type_that_is_read_gives_the_segment() {
    for (number, v4, v6) in links() {
        assert!(LinkType(number).is_read(), "{number}");
        assert_holds(LinkType(number), &joined(&[&v4, &tcp(false)]), false);
        assert_holds(LinkType(number), &joined(&[&v6, &tcp(true)]), true);
    }
    assert_holds(LinkType(228), &tcp(false), false);
    assert_holds(LinkType(229), &tcp(true), true);
}

/// The payload stands behind other attributes, in either byte order.
#[test]
fn nflog_gives_the_segment() {
    let packet = tcp(false);
    let len = u16::try_from(packet.len() + 4).expect("it is short");
    for (order, bytes) in [
        (0, [len.to_le_bytes(), 9_u16.to_le_bytes()]),
        (1, [len.to_be_bytes(), 9_u16.to_be_bytes()]),
    ] {
        let prefix = [[5, 0, 10, 0, 7, 0, 0, 0], [0, 5, 0, 10, 7, 0, 0, 0]][order];
        let frame = joined(&[&[2, 0, 0, 30], &prefix, &bytes.concat(), &packet]);
        assert_holds(LinkType(239), &frame, false);
    }
}

#[test]
fn tags_of_any_kind_are_passed_over() {
    for tags in [
        &[0x81, 0, 0, 5][..],
        &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6],
        &[0x91, 0, 0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7],
        &[0x89, 0x3f, 0, 0, 0, 0, 0, 0],
        &[0x89, 0x26, 0, 0, 0, 0, 0x81, 0, 0, 5],
    ] {
        let frame = joined(&[&ADDRESSES, tags, &[8, 0], &tcp(false)]);
        assert_holds(ETHERNET, &frame, false);
    }
}

#[test]
fn ethernet_with_a_length_holds_snap_or_ip() {
    let packet = tcp(false);
    let len = u8::try_from(packet.len() + 8).expect("it is short");
    let snap = joined(&[&ADDRESSES, &[0, len], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &packet]);
    assert_holds(ETHERNET, &snap, false);
    let llc = joined(&[&ADDRESSES, &[0, len - 5], &[6, 6, 3], &packet]);
    assert_holds(ETHERNET, &llc, false);
}

#[test]
fn padding_is_no_payload() {
    let frame = joined(&[&ADDRESSES, &[8, 0], &tcp(false), &[0; 40]]);
    assert_holds(ETHERNET, &frame, false);
}

#[test]
fn what_is_no_tcp_and_no_udp_is_neither() {
    let arp = joined(&[&ADDRESSES, &[8, 6], &[0; 28]]);
    assert_eq!(read(ETHERNET, &arp), Ok(Packet::Other));
    let step = PacketBuilder::ipv4([1; 4], [2; 4], 64).icmpv4_echo_request(1, 2);
    let icmp = built(step, |step, bytes| step.write(bytes, &[]).expect("a vector takes all"));
    assert_eq!(read(RAW, &icmp), Ok(Packet::Other));
    let encrypted = joined(&[&[0x08, 0x41, 0, 0], &[2; 20], &[0xaa; 60]]);
    assert_eq!(read(LinkType(105), &encrypted), Ok(Packet::Other));
    let no_data = joined(&[&[0x48, 1, 0, 0], &[2; 20]]);
    assert_eq!(read(LinkType(105), &no_data), Ok(Packet::Other));
}

#[test]
fn udp_gives_a_datagram() {
    let packet = udp((5000, 53), b"question");
    let Ok(Packet::Datagram(found)) = read(RAW, &packet) else { panic!("it is a datagram") };
    let expected = Datagram {
        at: AT,
        tuple: found.tuple,
        socket_cookie: 0,
        sighting: 0,
        owner: None,
        len: 8,
        payload: b"question",
    };
    assert_eq!(found, expected);
    assert_eq!(found.tuple.destination.to_string(), "10.0.0.2:53");
}

#[test]
fn lengths_that_contradict_each_other_are_malformed() {
    for (at, value, what) in [
        (0, 0x75, "a version that is none"),
        (0, 0x44, "a header shorter than its fixed part"),
        (0, 0x4f, "a header longer than the packet says it is"),
        (3, 19, "a packet shorter than its header"),
        (32, 0x40, "a TCP header shorter than its fixed part"),
        (32, 0xf0, "a TCP header longer than the packet"),
    ] {
        let mut packet = tcp(false);
        packet[at] = value;
        assert_eq!(read(RAW, &packet), Err(Error::Malformed), "{what}");
    }
    let mut packet = udp((1, 2), b"x");
    packet[25] = 7;
    assert_eq!(read(RAW, &packet), Err(Error::Malformed), "UDP shorter than its header");
    packet[25] = 10;
    assert_eq!(read(RAW, &packet), Err(Error::Malformed), "UDP longer than the packet");
}

/// Hardware was to cut what the system gave it whole, and to fill in the lengths.
#[test]
fn a_length_of_zero_is_what_is_there() {
    let mut v4 = tcp(false);
    v4[2..4].fill(0);
    assert_holds(RAW, &v4, false);
    let mut v6 = tcp(true);
    v6[4..6].fill(0);
    assert_holds(RAW, &v6, true);
}

#[test]
fn extension_headers_are_passed_over() {
    let packet = tcp(true);
    let extensions: [(u8, Vec<u8>); 4] = [
        (0, [[60, 0, 1, 4, 0, 0, 0, 0], [6, 0, 1, 4, 0, 0, 0, 0]].concat()),
        (43, [[6, 1, 0, 0, 0, 0, 0, 0], [0; 8]].concat()),
        (51, [[6, 1, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0, 0, 0]].concat()[..12].to_vec()),
        (44, vec![6, 0, 0, 0, 0, 0, 0, 1]),
    ];
    for (kind, bytes) in extensions {
        let mut frame = joined(&[&packet[..40], &bytes, &packet[40..]]);
        frame[6] = kind;
        let len = u16::try_from(frame.len() - 40).expect("short");
        frame[4..6].copy_from_slice(&len.to_be_bytes());
        assert_holds(RAW, &frame, true);
    }
}

#[test]
fn a_link_type_that_is_not_read_is_named() {
    assert!(!LinkType(220).is_read());
    assert_eq!(LinkType(220).to_string(), "link type USB_LINUX_MMAPPED (220)");
    assert_eq!(LinkType(60_000).to_string(), "link type 60000");
}

/// A snap length cuts anywhere: what is left is the same segment with less payload, or nothing.
#[test]
fn a_cut_packet_is_the_same_segment_or_cut_short() {
    for (number, before, _) in links() {
        let frame = joined(&[&before, &tcp(false)]);
        for cut in 0..frame.len() {
            let captured = Captured::new(&frame[..cut], frame.len());
            let headers = frame.len() - HEAD.len();
            // Of a TCP header, the last fields are not needed.
            let needed = headers - 6;
            match decode(LinkType(number), captured, AT) {
                Ok(Packet::Segment(segment)) => {
                    assert!(cut >= needed, "{number} cut at {cut}");
                    assert_eq!((segment.len, segment.seq), (18, 7), "{number} cut at {cut}");
                    let payload = &HEAD[..cut.saturating_sub(headers)];
                    assert_eq!(segment.payload, payload, "{number} cut at {cut}");
                }
                Err(Error::CutShort) => assert!(cut < needed, "{number} cut at {cut}"),
                other => assert_eq!(other, Ok(Packet::Other), "{number} cut at {cut}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(
        link in 0_u16..300,
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        more in 0_usize..100,
    ) {
        let captured = Captured::new(&bytes, bytes.len() + more);
        if let Ok(Packet::Segment(segment)) = decode(LinkType(link), captured, AT) {
            prop_assert!(segment.payload.len() <= bytes.len());
        }
    }

    /// The bytes behind a valid beginning are any.
    #[test]
    fn any_bytes_behind_a_header_are_read_without_a_panic(
        protocol in any::<u8>(),
        bytes in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut packet = joined(&[&tcp(false)[..20], &bytes]);
        let len = u16::try_from(packet.len()).expect("short");
        packet[2..4].copy_from_slice(&len.to_be_bytes());
        packet[9] = protocol;
        let padded = joined(&[&packet, &[0; 9]]);
        prop_assert_eq!(read(RAW, &packet), read(RAW, &padded));
    }
}
