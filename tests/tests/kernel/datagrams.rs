//! Which datagrams the TC programs take for DNS, and what comes out of them.

use anyhow::Result;
use e2e::packets::Packet;
use e2e::programs::run;
use e2e::sh;
use headertap::event::{self, Event};
use headertap::parse::dns::strict_message;

use super::Kernel;
use super::wire::{AS_IT_IS, Attached, Sender, Wire};

const CLIENT: &str = "10.1.0.1:40000";
const RESOLVER: &str = "10.1.0.2:53";
const ANY_PORT: &str = "10.1.0.2:8053";
const CLIENT_V6: &str = "[2001:db8::1]:40000";
const ANY_PORT_V6: &str = "[2001:db8::2]:8053";
/// IPv4's more-fragments flag.
const MORE_FRAGMENTS: u16 = 0x2000;
/// As many bytes of a datagram are copied (`bpf/datagram.h`).
const DATAGRAM_MAX: usize = 4096;

/// `www.example.com A IN`, with a header of these flags and counts.
fn message(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let words = [0x1234, flags].into_iter().chain(counts);
    let header = words.flat_map(u16::to_be_bytes);
    header.chain(*b"\x03www\x07example\x03com\x00\x00\x01\x00\x01").collect()
}

fn query() -> Vec<u8> {
    message(0x0100, [1, 0, 0, 0])
}

fn response() -> Vec<u8> {
    let answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";
    [&message(0x8180, [1, 1, 0, 0])[..], answer].concat()
}

#[derive(Debug, PartialEq, Eq)]
struct Datagram {
    source: String,
    destination: String,
    len: u32,
    sighting: u32,
    payload: Vec<u8>,
}

impl Kernel {
    fn datagrams(&self, packet: &Packet) -> Result<Vec<Datagram>> {
        let frame = packet.frame();
        let outcome = self.programs.run(self.program, &frame, self.ifindex)?;
        assert!(outcome.packet == frame && outcome.verdict == super::PASS, "{outcome:?}");
        self.taken()
    }

    fn taken(&self) -> Result<Vec<Datagram>> {
        let records = self.programs.records()?;
        let datagram = |record: &Vec<u8>| match event::decode(record, 0) {
            Ok(Event::Datagram(datagram)) => Datagram {
                source: datagram.tuple.source.to_string(),
                destination: datagram.tuple.destination.to_string(),
                len: datagram.len,
                sighting: datagram.sighting,
                payload: datagram.payload.to_vec(),
            },
            other => panic!("a datagram's record, not {other:?}"),
        };
        Ok(records.iter().map(datagram).collect())
    }

    fn takes(&self, packet: &Packet) -> Result<bool> {
        Ok(!self.datagrams(packet)?.is_empty())
    }
}

/// Without an Ethernet header, a test run takes the protocol from bytes 12 and 13 all the same, so
/// those programs are tested by traffic.
#[test]
fn a_message_comes_out_whole_on_both_hooks_in_both_families() -> Result<()> {
    let mut kernel = Kernel::new()?;
    for (program, ingress) in [("tc_egress", 0), ("tc_ingress", 1)] {
        kernel.program = program;
        for (client, server) in [(CLIENT, RESOLVER), (CLIENT, ANY_PORT), (CLIENT_V6, ANY_PORT_V6)] {
            for payload in [query(), response()] {
                let packet = Packet { padding: 5, ..Packet::datagram(client, server, &payload) };
                let expected = Datagram {
                    source: client.to_owned(),
                    destination: server.to_owned(),
                    len: u32::try_from(payload.len())?,
                    sighting: 1 << 1 | ingress, // the loopback has index 1
                    payload,
                };
                assert_eq!(kernel.datagrams(&packet)?, [expected], "{program} {packet:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn what_lies_between_ethernet_and_udp_makes_no_difference() -> Result<()> {
    let kernel = Kernel::new()?;
    let v4 = Packet::datagram(CLIENT, ANY_PORT, &query());
    let v6 = Packet::datagram(CLIENT_V6, ANY_PORT_V6, &query());
    for packet in [
        Packet { vlans: vec![(0x8100, 5)], ..v4.clone() },
        Packet { vlans: vec![(0x88a8, 5), (0x8100, 6)], ..v6.clone() },
        Packet { ip_options: vec![1; 40], ..v4 },
        Packet { extensions: vec![(0, vec![0; 7]), (60, vec![0; 7])], ..v6 },
    ] {
        assert_eq!(kernel.datagrams(&packet)?[0].payload, query(), "{packet:?}");
    }
    Ok(())
}

#[test]
fn on_a_port_of_dns_everything_is_taken() -> Result<()> {
    let kernel = Kernel::new()?;
    for port in [53, 5353, 5355] {
        let server = format!("10.1.0.2:{port}");
        for payload in [&b"x"[..], &[0xff; 600]] {
            assert!(kernel.takes(&Packet::datagram(CLIENT, &server, payload))?);
            assert!(kernel.takes(&Packet::datagram(&server, CLIENT, payload))?);
        }
        assert!(!kernel.takes(&Packet::datagram(CLIENT, &server, b""))?, "nothing to tell");
        assert!(!kernel.takes(&Packet::new(CLIENT, &server, b""))?, "TCP");
    }
    Ok(())
}

/// On other ports the kernel looks at the begin alone, so it takes more than user space does, and
/// never less.
#[test]
fn on_other_ports_what_cannot_be_dns_is_passed_over() -> Result<()> {
    let kernel = Kernel::new()?;
    let with = |at: usize, byte: u8| {
        let mut bytes = query();
        bytes[at] = byte;
        bytes
    };
    for (what, payload, is_taken) in [
        ("a query", query(), true),
        ("a response", response(), true),
        ("an update", message(0x2800, [1, 1, 2, 1]), true),
        ("a reserved opcode", message(0x1900, [1, 0, 0, 0]), false),
        ("the reserved bit", message(0x0140, [1, 0, 0, 0]), false),
        ("a query that answers", message(0x0100, [1, 1, 0, 0]), false),
        ("a query with a response code", message(0x0103, [1, 0, 0, 0]), false),
        ("two questions", message(0x0100, [2, 0, 0, 0]), false),
        ("a response of too many", message(0x8180, [1, 512, 0, 0]), false),
        ("a label that is too long", with(12, 64), false),
        ("too short a message", query()[..16].to_vec(), false),
        ("QUIC", [&[0xc3, 0, 0, 0, 1, 8][..], &[7; 1200]].concat(), false),
        ("NTP", [&[0x23, 0, 6, 0xec][..], &[0; 44]].concat(), false),
        ("RTP", [&[0x80, 0x60, 0x12, 0x34][..], &[9; 160]].concat(), false),
        ("zeros", vec![0; 100], false),
    ] {
        for (client, server) in [(CLIENT, ANY_PORT), (CLIENT_V6, ANY_PORT_V6)] {
            let packet = Packet::datagram(client, server, &payload);
            assert_eq!(kernel.takes(&packet)?, is_taken, "{what}");
            let is_dns = strict_message(&payload).is_some();
            assert!(is_taken || !is_dns, "{what} is DNS to user space");
        }
    }
    assert_eq!(kernel.programs.counters()?.datagrams_seen, 6);
    Ok(())
}

fn payload(len: usize) -> Vec<u8> {
    (0_u8..251).cycle().take(len).collect()
}

/// The sizes of records, with one byte more and one less.
#[test]
fn a_datagram_of_every_size_class_comes_out_byte_for_byte() -> Result<()> {
    let kernel = Kernel::new()?;
    for len in [1, 12, 151, 152, 153, 407, 408, 409, 919, 920, 921, 1400, 3000] {
        let taken = kernel.datagrams(&Packet::datagram(CLIENT, RESOLVER, &payload(len)))?;
        assert_eq!(taken[0].payload, payload(len), "{len} bytes");
    }
    Ok(())
}

/// A test run takes no packet larger than a page.
#[test]
fn no_more_than_the_cap_is_copied_of_a_datagram() -> Result<()> {
    Wire::with(|wire| {
        for end in ["near0", "far0"] {
            sh(&format!("ip link set {end} mtu 9000"));
        }
        let kernel = Kernel::new()?;
        let _attached = Attached::egress(&kernel, wire.near)?;
        for len in [DATAGRAM_MAX - 1, DATAGRAM_MAX, DATAGRAM_MAX + 1, 8000] {
            let packet = Packet::datagram(CLIENT, RESOLVER, &payload(len));
            Sender::new(wire.near)?.send(&packet.frame(), AS_IT_IS)?;
            let mut taken = kernel.taken()?;
            // The interface has traffic of its own.
            taken.retain(|datagram| datagram.source == CLIENT);
            let copied = len.min(DATAGRAM_MAX);
            assert_eq!((taken.len(), taken[0].len as usize), (1, len));
            assert!(taken[0].payload == payload(len)[..copied], "{len} bytes");
        }
        Ok(())
    })
}

#[test]
fn of_a_datagram_in_fragments_the_first_is_taken() -> Result<()> {
    let kernel = Kernel::new()?;
    let v4 = Packet::datagram(CLIENT, ANY_PORT, &response());
    let v6 = Packet::datagram(CLIENT_V6, ANY_PORT_V6, &response());
    let fragment = |offset_and_flag: u16| {
        let [high, low] = offset_and_flag.to_be_bytes();
        vec![(44, vec![0, high, low, 0, 0, 0, 1])]
    };
    assert!(kernel.takes(&Packet { fragment: MORE_FRAGMENTS, ..v4.clone() })?);
    assert!(kernel.takes(&Packet { extensions: fragment(1), ..v6.clone() })?);
    assert!(kernel.takes(&Packet { extensions: fragment(0), ..v6.clone() })?, "an atomic one");
    assert_eq!(kernel.programs.counters()?.fragments, 0);
    for packet in [
        Packet { fragment: 100, ..v4.clone() },
        Packet { fragment: MORE_FRAGMENTS | 100, ..v4 },
        Packet { extensions: fragment(800), ..v6.clone() },
        Packet { extensions: fragment(801), ..v6 },
    ] {
        assert!(!kernel.takes(&packet)?, "{packet:?}");
    }
    assert_eq!(kernel.programs.counters()?.fragments, 4);
    Ok(())
}

#[test]
fn lengths_that_lie_make_nothing_of_what_is_not_there() -> Result<()> {
    let kernel = Kernel::new()?;
    let honest = Packet::datagram(CLIENT, RESOLVER, &query());
    for (said, len, present) in [(0, 33, 33), (20, 12, 12), (500, 492, 33), (u16::MAX, 65527, 33)] {
        let taken = kernel.datagrams(&Packet { udp_length: Some(said), ..honest.clone() })?;
        assert_eq!((taken[0].len, taken[0].payload.len()), (len, present), "{said}");
    }
    for said in [1, 7, 8] {
        assert!(!kernel.takes(&Packet { udp_length: Some(said), ..honest.clone() })?, "{said}");
    }
    let whole = honest.frame();
    // A test run takes no frame that is cut within the IP header.
    for cut in 34..whole.len() {
        let frame = &whole[..cut];
        kernel.programs.run(kernel.program, frame, 0)?;
        let records = kernel.programs.records()?;
        assert!(records.is_empty(), "cut at {cut}: the IP length says more");
    }
    Ok(())
}

#[test]
fn a_full_ring_counts_exactly_the_datagrams_it_lost() -> Result<()> {
    const ROUNDS: u32 = 1000;
    let kernel = Kernel::with_ring(64 * 1024)?;
    let packet = Packet::datagram(CLIENT, RESOLVER, &query());
    run(&kernel.programs.program("tc_egress"), &packet.frame(), 0, ROUNDS)?;
    let counters = kernel.programs.counters()?;
    let taken = kernel.programs.records()?.len() as u64;
    assert_eq!(counters.datagrams_seen, u64::from(ROUNDS));
    assert!(counters.datagrams_ringbuf_full > 0);
    assert_eq!(taken + counters.datagrams_ringbuf_full, u64::from(ROUNDS));
    assert_eq!((counters.datagrams_not_loaded, counters.segments_seen), (0, 0));
    Ok(())
}
