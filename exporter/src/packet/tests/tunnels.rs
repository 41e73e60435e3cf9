//! The same segment in every tunnel, and in tunnels in tunnels.

use super::{
    ADDRESSES, Captured, ETHERNET, Error, Packet, RAW, assert_holds, decode, joined, read, tcp, udp,
};
use crate::packet::tests::AT;

/// An IPv4 header for so many bytes of a protocol.
fn ip(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = joined(&[&tcp(false)[..20], payload]);
    packet[9] = protocol;
    let len = u16::try_from(packet.len()).expect("short");
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet
}

fn gre(header: &[u8], payload: &[u8]) -> Vec<u8> {
    ip(47, &joined(&[header, payload]))
}

fn frame() -> Vec<u8> {
    joined(&[&ADDRESSES, &[8, 0], &tcp(false)])
}

#[test]
fn a_tunnel_is_passed_over() {
    let vxlan = |flags: u8, next: u8| joined(&[&[flags, 0, 0, next, 0, 0, 7, 0], &frame()]);
    let gtp: &[u8] = &[0x34, 0xff, 0, 66, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0x10, 1, 0];
    let packets = [
        ("IPIP", ip(4, &tcp(false))),
        ("GRE", gre(&[0, 0, 8, 0], &tcp(false))),
        (
            "GRE with every field",
            gre(&[0xb0, 0, 8, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2], &tcp(false)),
        ),
        ("GRE with Ethernet", gre(&[0x20, 0, 0x65, 0x58, 0, 0, 0, 1], &frame())),
        ("NVGRE", gre(&[0x20, 0, 0x65, 0x58, 0, 0, 1, 0], &frame())),
        ("ERSPAN", gre(&[0, 0, 0x88, 0xbe], &frame())),
        ("ERSPAN II", gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0], &frame())),
        (
            "PPTP",
            gre(
                &[0x30, 0x81, 0x88, 0x0b, 0, 62, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 3, 0, 0x21],
                &tcp(false),
            ),
        ),
        ("MPLS in IP", ip(137, &joined(&[&[0, 0, 0x11, 64], &tcp(false)]))),
        ("VXLAN", udp((40000, 4789), &vxlan(8, 0))),
        ("VXLAN, Linux", udp((40000, 8472), &vxlan(8, 0))),
        ("VXLAN-GPE", udp((40000, 4789), &vxlan(0x0c, 3))),
        (
            "VXLAN-GPE with IP",
            udp((40000, 4790), &joined(&[&[8, 0, 0, 1, 0, 0, 7, 0], &tcp(false)])),
        ),
        ("Geneve", udp((40000, 6081), &joined(&[&[0, 0, 0x65, 0x58, 0, 0, 1, 0], &frame()]))),
        (
            "Geneve with options",
            udp((6081, 40000), &joined(&[&[1, 0, 8, 0, 0, 0, 1, 0, 1, 2, 3, 4], &tcp(false)])),
        ),
        ("GTP-U", udp((2152, 2152), &joined(&[&[0x30, 0xff, 0, 58, 0, 0, 0, 1], &tcp(false)]))),
        ("GTP-U with an extension", udp((2152, 2152), &joined(&[gtp, &tcp(false)]))),
        ("GRE in UDP", udp((40000, 4754), &joined(&[&[0, 0, 8, 0], &tcp(false)]))),
    ];
    for (tunnel, packet) in packets {
        println!("{tunnel}");
        assert_holds(RAW, &packet, false);
    }
}

#[test]
fn ipv6_in_a_tunnel_is_found() {
    let origin = [0, 0, 0, 1, 2, 3, 4, 5];
    let authentication = [0, 1, 1, 2, 9, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for packet in [
        ip(41, &tcp(true)),
        gre(&[0, 0, 0x86, 0xdd], &tcp(true)),
        udp((40000, 3544), &tcp(true)),
        udp((3544, 40000), &joined(&[&origin, &tcp(true)])),
        udp((40000, 3544), &joined(&[&authentication, &origin, &tcp(true)])),
    ] {
        assert_holds(RAW, &packet, true);
    }
}

#[test]
fn a_pseudowire_and_pppoe_are_passed_over() {
    let pseudowire = joined(&[&ADDRESSES, &[0x88, 0x47, 0, 0, 0x11, 64, 0, 0, 0, 0], &frame()]);
    assert_holds(ETHERNET, &pseudowire, false);
    let len = u8::try_from(tcp(false).len() + 2).expect("short");
    let pppoe = joined(&[&ADDRESSES, &[0x88, 0x64, 0x11, 0, 0, 1, 0, len, 0, 0x21], &tcp(false)]);
    assert_holds(ETHERNET, &pppoe, false);
}

#[test]
fn what_only_has_the_port_of_a_tunnel_is_a_datagram() {
    for port in [4789, 4790, 8472, 6081, 3544, 2152, 4754] {
        for payload in [&b""[..], b"x", b"a datagram like any other, as long as a header"] {
            let packet = udp((40000, port), payload);
            let Ok(Packet::Datagram(found)) = read(RAW, &packet) else {
                panic!("port {port}, {payload:?}: {:?}", read(RAW, &packet));
            };
            assert_eq!(found.payload, payload, "port {port}");
        }
    }
}

#[test]
fn four_tunnels_may_stand_in_one_another() {
    let mut packet = tcp(false);
    for _ in 0..4 {
        packet = ip(4, &packet);
        assert_holds(RAW, &packet, false);
    }
    assert_eq!(read(RAW, &ip(4, &packet)), Err(Error::Malformed));
}

/// What could go round: Ethernet behind labels behind Ethernet, headers that name their own type.
#[test]
fn what_begins_again_and_again_ends() {
    let mut pseudowires = frame();
    for _ in 0..100 {
        pseudowires =
            joined(&[&ADDRESSES, &[0x88, 0x47, 0, 0, 0x11, 64, 0, 0, 0, 0], &pseudowires]);
    }
    assert_eq!(read(ETHERNET, &pseudowires), Err(Error::Malformed));
    let own = [0, 0, 8, 0, 192, 0, 0, 0].repeat(1000);
    assert_eq!(read(crate::packet::LinkType(192), &own), Err(Error::Malformed));
}

#[test]
fn a_cut_tunnel_is_cut_short_or_has_its_segment() {
    let packet = udp((40000, 4789), &joined(&[&[8, 0, 0, 0, 0, 0, 7, 0], &frame()]));
    for cut in 0..packet.len() {
        match decode(RAW, Captured::new(&packet[..cut], packet.len()), AT) {
            Ok(Packet::Segment(found)) => assert_eq!((found.seq, found.len), (7, 18)),
            // Too little is left to tell a tunnel from a datagram.
            Ok(Packet::Datagram(found)) => assert!(found.payload.len() < 8, "cut at {cut}"),
            other => assert_eq!(other, Err(Error::CutShort), "cut at {cut}"),
        }
    }
}
