//! Tunnels: GRE, and those over UDP, which only a port and the shape of their header tell.

use etherparse::{EtherType, ether_type};

use super::{Captured, Error, Packet, Place, ether, ip, ppp};
use crate::flow::Tuple;

const VXLAN_PORTS: [u16; 2] = [4789, 8472];
const VXLAN_GPE_PORT: u16 = 4790;
const GENEVE_PORT: u16 = 6081;
const TEREDO_PORT: u16 = 3544;
const GTP_USER_PORT: u16 = 2152;
/// RFC 8086.
const GRE_PORT: u16 = 4754;

/// GRE (RFC 2784, RFC 2890): which fields are there, in the first byte.
const CHECKSUM: u8 = 0x80;
const ROUTING: u8 = 0x40;
const KEY: u8 = 0x20;
const SEQUENCE: u8 = 0x10;
/// In the second byte: version 1 (RFC 2637) may acknowledge, and always carries PPP.
const ACKNOWLEDGEMENT: u8 = 0x80;
const VERSION: u8 = 0x07;
/// An Ethernet frame as a switch has mirrored it (draft-foschiano-erspan), with a header where
/// packets are numbered.
const ERSPAN: EtherType = EtherType(0x88be);
const ERSPAN_HEADER_BYTES: usize = 8;

pub(super) fn decode_gre<'a>(packet: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    let [fields, version] = *packet.header()?;
    let mut len = 4;
    if fields & (CHECKSUM | ROUTING) != 0 {
        len += 4;
    }
    for field in [KEY, SEQUENCE] {
        if fields & field != 0 {
            len += 4;
        }
    }
    let protocol = EtherType(packet.u16_at(2)?);
    match version & VERSION {
        0 if fields & ROUTING != 0 => Ok(Packet::Other),
        0 if protocol == ERSPAN => {
            let header = if fields & SEQUENCE != 0 { ERSPAN_HEADER_BYTES } else { 0 };
            ether::decode_ethernet(packet.skip(len + header)?, place)
        }
        0 => ether::decode_payload(protocol, packet.skip(len)?, place),
        1 if fields & SEQUENCE == 0 => Ok(Packet::Other),
        1 => {
            let len = if version & ACKNOWLEDGEMENT != 0 { len + 4 } else { len };
            ppp::decode(packet.skip(len)?, place)
        }
        _ => Ok(Packet::Other),
    }
}

/// What is in a tunnel over UDP; `None` if the datagram is none. A port is not enough: what does
/// not hold what a tunnel would is a datagram like others.
pub(super) fn decode_udp<'a>(
    tuple: &Tuple,
    payload: Captured<'a>,
    place: Place,
) -> Option<Result<Packet<'a>, Error>> {
    let ports = [tuple.destination.port, tuple.source.port];
    let inner = ports.into_iter().find_map(|port| match port {
        GENEVE_PORT => geneve(payload, place),
        GTP_USER_PORT => gtp_user(payload, place),
        TEREDO_PORT => teredo(payload, place),
        // Nothing in its header tells it from other datagrams.
        GRE_PORT => Some(decode_gre(payload, place)).filter(|inner| *inner != Ok(Packet::Other)),
        VXLAN_GPE_PORT => vxlan(payload, true, place),
        port if VXLAN_PORTS.contains(&port) => vxlan(payload, false, place),
        _ => None,
    });
    inner.filter(|inner| *inner != Err(Error::Malformed))
}

/// RFC 7348 section 5: a flag, and a network number. With another flag, or to another port, the
/// fourth byte tells what follows (draft-ietf-nvo3-vxlan-gpe).
fn vxlan(packet: Captured<'_>, gpe: bool, place: Place) -> Option<Result<Packet<'_>, Error>> {
    let [flags, 0, 0, next, .., 0] = *packet.header::<8>().ok()? else { return None };
    let inner = packet.skip(8).ok()?;
    let tells = gpe || flags & 0x04 != 0;
    match (flags & !0x04, if tells { next } else { 3 }) {
        (0x08, 1) => Some(ip::decode_v4(inner, place)),
        (0x08, 2) => Some(ip::decode_v6(inner, place)),
        (0x08, 3) => Some(ether::decode_ethernet(inner, place)),
        _ => None,
    }
}

/// RFC 8926 section 3.4: version 0, a length of options in words, an EtherType.
fn geneve(packet: Captured<'_>, place: Place) -> Option<Result<Packet<'_>, Error>> {
    let [options @ 0..0x40, _, high, low, _, _, _, 0] = packet.header().ok()? else { return None };
    let ether_type = EtherType(u16::from_be_bytes([*high, *low]));
    let inner = packet.skip(8 + usize::from(*options) * 4).ok()?;
    Some(ether::decode_payload(ether_type, inner, place))
}

/// 3GPP TS 29.281 section 5.1: version 1, a user's packet; behind it optional fields, the last of
/// which begins a chain of headers.
fn gtp_user(packet: Captured<'_>, place: Place) -> Option<Result<Packet<'_>, Error>> {
    let [flags @ 0x30..0x38, 0xff, high, low, ..] = packet.header::<8>().ok()? else {
        return None;
    };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    let mut inner = packet.skip(8).ok()?.of_len_within(len);
    if flags & 0x07 != 0 {
        let mut next = inner.u8_at(3).ok()?;
        inner = inner.skip(4).ok()?;
        while next != 0 {
            let words @ 1.. = usize::from(inner.u8_at(0).ok()?) else { return None };
            next = inner.u8_at(words * 4 - 1).ok()?;
            inner = inner.skip(words * 4).ok()?;
        }
    }
    Some(ip::decode(inner, place))
}

/// RFC 4380 section 5.1.1: IPv6, perhaps behind an authentication and an origin indication. Its
/// length is to be what is there.
fn teredo(packet: Captured<'_>, place: Place) -> Option<Result<Packet<'_>, Error>> {
    let mut inner = packet;
    if let Ok([0, 1, id, value]) = inner.header() {
        inner = inner.skip(13 + usize::from(*id) + usize::from(*value)).ok()?;
    }
    if inner.header() == Ok(&[0, 0]) {
        inner = inner.skip(8).ok()?;
    }
    let len = 40 + usize::from(inner.u16_at(4).ok()?);
    let is_plausible = inner.u8_at(0).ok()? >> 4 == 6 && len == inner.len();
    is_plausible.then(|| ether::decode_payload(ether_type::IPV6, inner, place))
}
