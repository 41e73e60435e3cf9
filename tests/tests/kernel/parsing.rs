//! Which packets are TCP segments, and where their payload lies.

use anyhow::{Context, Result};
use e2e::packets::{ETHERNET_BYTES, Packet, SYN};

use super::wire::{AS_IT_IS, Attached, Sender, Wire};
use super::{
    ANSWER, CLIENT, CLIENT_V6, Captured, HEAD, Kernel, SERVER, SERVER_V6, head, head_v6, payload,
};

/// EtherTypes of VLAN tags (IEEE 802.1Q, 802.1ad).
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
/// IPv6 extension headers (RFC 8200 section 4).
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;
/// IPv4's more-fragments flag.
const MORE_FRAGMENTS: u16 = 0x2000;
const UDP: u8 = 17;
/// An extension header of 8 bytes without its first: length 0, then padding (PadN).
const SHORT: [u8; 7] = [0, 1, 4, 0, 0, 0, 0];
/// One of 16 bytes.
const LONG: [u8; 15] = [1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Asserts that the whole segment came out, and nothing else.
fn assert_whole(captured: &[Captured], packet: &Packet, what: &str) {
    assert_eq!(captured.len(), 1, "{what}");
    let segment = &captured[0];
    assert_eq!(segment.source, packet.source.to_string(), "{what}");
    assert_eq!(segment.destination, packet.destination.to_string(), "{what}");
    assert_eq!((segment.seq, segment.ack), (packet.seq, packet.ack), "{what}");
    assert_eq!(segment.flags, packet.flags, "{what}");
    assert_eq!(segment.payload, packet.payload, "{what}");
    assert_eq!(segment.len as usize, packet.payload.len(), "{what}");
}

#[test]
fn a_segment_in_ipv4_or_ipv6_comes_out_whole_on_both_hooks() -> Result<()> {
    for program in ["tc_egress", "tc_ingress"] {
        let kernel = Kernel { program, ..Kernel::new()? };
        for packet in [head(), head_v6()] {
            assert_whole(&kernel.packet(&packet)?, &packet, program);
        }
    }
    Ok(())
}

/// Without an Ethernet header, a test run takes the protocol from bytes 12 and 13 all the same:
/// these addresses hold an EtherType there.
#[test]
fn a_segment_without_an_ethernet_header_comes_out_whole() -> Result<()> {
    let v4 = Packet::new("8.0.1.1:40000", SERVER, HEAD);
    let v6 = Packet::new("[2001:db8:86dd::1]:40000", SERVER_V6, HEAD);
    for program in ["tc_egress_l3", "tc_ingress_l3"] {
        let kernel = Kernel { program, ..Kernel::new()? };
        for packet in [&v4, &v6] {
            assert_whole(&kernel.frame(&packet.network())?, packet, program);
        }
    }
    Ok(())
}

#[test]
fn one_and_two_vlan_tags_are_passed_over_and_three_are_not() -> Result<()> {
    let kernel = Kernel::new()?;
    for packet in [head(), head_v6()] {
        let tagged = Packet { vlans: vec![(VLAN, 5)], ..packet.clone() };
        assert_whole(&kernel.packet(&tagged)?, &tagged, "VLAN");
        let twice = Packet { vlans: vec![(SERVICE_VLAN, 7), (VLAN, 5)], ..packet };
        assert_whole(&kernel.packet(&twice)?, &twice, "QinQ");
        let thrice = Packet { vlans: vec![(VLAN, 7); 3], ..twice };
        assert_eq!(kernel.packet(&thrice)?, []);
    }
    Ok(())
}

#[test]
fn options_of_ipv4_and_tcp_are_not_taken_for_payload() -> Result<()> {
    let kernel = Kernel::new()?;
    for words in 0..=10 {
        let options = vec![1; words * 4];
        let ip = Packet { ip_options: options.clone(), ..head() };
        assert_whole(&kernel.packet(&ip)?, &ip, &format!("{words} words of IPv4 options"));
        let tcp = Packet { tcp_options: options.clone(), ..head() };
        assert_whole(&kernel.packet(&tcp)?, &tcp, &format!("{words} words of TCP options"));
        let tcp = Packet { tcp_options: options, ..head_v6() };
        assert_whole(&kernel.packet(&tcp)?, &tcp, &format!("{words} words, IPv6"));
    }
    Ok(())
}

#[test]
fn up_to_four_ipv6_extension_headers_are_passed_over() -> Result<()> {
    let kernel = Kernel::new()?;
    let mut extensions = Vec::new();
    for (kind, rest) in
        [(HOP_BY_HOP, &SHORT[..]), (DESTINATION, &LONG), (ROUTING, &LONG), (DESTINATION, &SHORT)]
    {
        extensions.push((kind, rest.to_vec()));
        let packet = Packet { extensions: extensions.clone(), ..head_v6() };
        assert_whole(&kernel.packet(&packet)?, &packet, &format!("{}", extensions.len()));
    }
    extensions.push((DESTINATION, SHORT.to_vec()));
    assert_eq!(kernel.packet(&Packet { extensions, ..head_v6() })?, []);
    Ok(())
}

#[test]
fn fragments_are_counted_and_not_read() -> Result<()> {
    let kernel = Kernel::new()?;
    let v6 = vec![(FRAGMENT, vec![0, 0, 1, 0, 0, 0, 7])];
    for packet in [
        Packet { fragment: MORE_FRAGMENTS, ..head() },
        Packet { fragment: 100, ..head() },
        Packet { fragment: MORE_FRAGMENTS | 100, ..head() },
        Packet { extensions: v6, ..head_v6() },
    ] {
        assert_eq!(kernel.packet(&packet)?, [], "{packet:?}");
    }
    assert_eq!(kernel.programs.counters()?.fragments, 4);
    let whole = Packet { fragment: 0x4000, ..head() };
    assert_whole(&kernel.packet(&whole)?, &whole, "do not fragment");
    Ok(())
}

/// A test run refuses what is cut within the IP header, so these leave on a real interface.
#[test]
fn a_packet_that_is_cut_anywhere_gives_nothing() -> Result<()> {
    let vlan = Packet { vlans: vec![(VLAN, 5)], ..head() };
    let options = Packet { ip_options: vec![1; 8], tcp_options: vec![1; 12], ..head() };
    let extension = Packet { extensions: vec![(DESTINATION, LONG.to_vec())], ..head_v6() };
    Wire::with(|wire| {
        let kernel = Kernel::new()?;
        let _attached = Attached::egress(&kernel, wire.near)?;
        let sender = Sender::new(wire.near)?;
        for packet in [head(), head_v6(), vlan, options, extension] {
            let frame = packet.frame();
            for cut in ETHERNET_BYTES + 1..frame.len() {
                let what = || format!("cut at {cut}");
                sender.send(&frame[..cut], AS_IT_IS).with_context(what)?;
                assert_eq!(kernel.captured()?, [], "cut at {cut}");
            }
            sender.send(&frame, AS_IT_IS)?;
            assert_whole(&kernel.captured()?, &packet, "whole");
        }
        Ok(())
    })
}

#[test]
fn segments_that_say_nothing_and_other_protocols_give_nothing() -> Result<()> {
    let kernel = Kernel::new()?;
    for packet in [
        Packet::new(CLIENT, SERVER, b""),
        Packet::new(CLIENT_V6, SERVER_V6, b""),
        Packet { protocol: UDP, ..head() },
        Packet { protocol: UDP, ..head_v6() },
    ] {
        assert_eq!(kernel.packet(&packet)?, [], "{packet:?}");
    }
    assert_eq!(kernel.programs.counters()?.segments_seen, 0);
    Ok(())
}

#[test]
fn lengths_that_cannot_be_give_nothing() -> Result<()> {
    let kernel = Kernel::new()?;
    let at = |offset: usize, value: u8| {
        let mut frame = head().frame();
        frame[ETHERNET_BYTES + offset] = value;
        frame
    };
    assert_eq!(kernel.frame(&at(0, 0x40))?, [], "an IPv4 header of 0 words");
    assert_eq!(kernel.frame(&at(0, 0x44))?, [], "an IPv4 header of 4 words");
    assert_eq!(kernel.frame(&at(32, 0x40))?, [], "a TCP header of 4 words");
    assert_eq!(kernel.frame(&at(32, 0xf0))?, [], "a TCP header that ends behind the packet");
    assert_eq!(kernel.frame(&at(2, 0xff))?, [], "a total length beyond the frame");
    assert_eq!(kernel.frame(&at(3, 39))?, [], "a total length that ends in the TCP header");
    Ok(())
}

#[test]
fn what_pads_a_frame_is_not_taken_for_payload() -> Result<()> {
    let kernel = Kernel::new()?;
    for packet in [head(), head_v6()] {
        let padded = Packet { padding: 17, payload: b"GET".to_vec(), ..packet.clone() };
        assert_whole(&kernel.packet(&padded)?, &padded, "padded");
        let empty = Packet { padding: 6, payload: Vec::new(), ..packet };
        assert_eq!(kernel.packet(&empty)?, [], "a padded acknowledgement");
    }
    Ok(())
}

#[test]
fn a_syn_comes_out_without_payload() -> Result<()> {
    let kernel = Kernel::new()?;
    for packet in [Packet::new(CLIENT, SERVER, b""), Packet::new(CLIENT_V6, SERVER_V6, b"")] {
        let syn = Packet { flags: SYN, tcp_options: vec![1; 20], ..packet };
        assert_whole(&kernel.packet(&syn)?, &syn, "SYN");
    }
    Ok(())
}

/// The records' size classes less their fixed part: a segment of each size, and one byte more.
#[test]
fn a_payload_of_every_size_class_comes_out_byte_for_byte() -> Result<()> {
    let kernel = Kernel::new()?;
    for class in [128, 256, 512, 1024, 2048] {
        for len in [class - 89, class - 88, class - 87] {
            let packet = Packet { payload: payload(len), ..head() };
            assert_whole(&kernel.packet(&packet)?, &packet, &format!("{len} bytes"));
        }
    }
    for len in 1..64 {
        let packet = Packet { payload: ANSWER[..len.min(ANSWER.len())].to_vec(), ..head() };
        assert_whole(&kernel.packet(&packet)?, &packet, &format!("{len} bytes"));
    }
    Ok(())
}
