//! Ethernet and what it carries: tags, labels and EtherTypes passed over until there is IP.

use etherparse::{EtherType, ether_type};

use super::{Captured, Error, Packet, Place, ip, ppp};

const MPLS: EtherType = EtherType(0x8847);
const MPLS_MULTICAST: EtherType = EtherType(0x8848);
const PPPOE_SESSION: EtherType = EtherType(0x8864);
const PPP: EtherType = EtherType(0x880b);
/// Ethernet in a tunnel (RFC 1701, RFC 7637).
const TRANSPARENT_ETHERNET: EtherType = EtherType(0x6558);
/// Tags that stand before another EtherType, and how long they are: VLANs (IEEE 802.1Q, 802.1ad,
/// and what vendors had before), ports (IEEE 802.1BR, VN-Tag).
const TAGS: [(EtherType, usize); 7] = [
    (ether_type::VLAN_TAGGED_FRAME, 2),
    (ether_type::PROVIDER_BRIDGING, 2),
    (ether_type::VLAN_DOUBLE_TAGGED_FRAME, 2),
    (EtherType(0x9200), 2),
    (EtherType(0x9300), 2),
    (EtherType(0x893f), 6),
    (EtherType(0x8926), 4),
];
/// The field is a length up to here (IEEE 802.3).
const LENGTH_MAX: u16 = 1500;
/// SNAP (RFC 1042) in unnumbered information, up to its protocol.
const SNAP: [[u8; 6]; 2] = [[0xaa, 0xaa, 3, 0, 0, 0], [0xaa, 0xaa, 3, 0, 0, 0xf8]];
/// IP right behind an LLC header (RFC 948).
const LLC_IP: [u8; 3] = [6, 6, 3];

pub(super) fn decode_ethernet<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    decode_payload(EtherType(frame.u16_at(12)?), frame.skip(14)?, place)
}

/// What an EtherType, or a length in its place, says is there, behind any number of tags.
pub(super) fn decode_payload<'a>(
    mut ether_type: EtherType,
    mut payload: Captured<'a>,
    place: Place,
) -> Result<Packet<'a>, Error> {
    loop {
        match ether_type {
            ether_type::IPV4 => return ip::decode_v4(payload, place),
            ether_type::IPV6 => return ip::decode_v6(payload, place),
            MPLS | MPLS_MULTICAST => return decode_mpls(payload, place),
            PPPOE_SESSION => return ppp::decode_pppoe(payload, place),
            PPP => return ppp::decode(payload, place),
            TRANSPARENT_ETHERNET => return decode_ethernet(payload, place.deeper()?),
            EtherType(..=LENGTH_MAX) => {
                return decode_llc(payload.of_len_within(ether_type.0.into()), place);
            }
            _ => {}
        }
        let Some((_, len)) = TAGS.iter().find(|(tag, _)| *tag == ether_type) else {
            return Ok(Packet::Other);
        };
        ether_type = EtherType(payload.u16_at(*len)?);
        payload = payload.skip(len + 2)?;
    }
}

/// An LLC header (IEEE 802.2), with SNAP or not.
pub(super) fn decode_llc<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    if frame.header().is_ok_and(|start| *start == LLC_IP) {
        return ip::decode(frame.skip(LLC_IP.len())?, place);
    }
    match frame.header() {
        Ok(start) if SNAP.contains(start) => match EtherType(frame.u16_at(start.len())?) {
            // No length can stand there.
            EtherType(..=LENGTH_MAX) => Ok(Packet::Other),
            ether_type => decode_payload(ether_type, frame.skip(start.len() + 2)?, place),
        },
        _ => Ok(Packet::Other),
    }
}

/// A stack of labels (RFC 3032); what is behind it, only its first bits tell.
pub(super) fn decode_mpls<'a>(mut packet: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    loop {
        let is_last = packet.u8_at(2)? & 1 != 0;
        packet = packet.skip(4)?;
        if is_last {
            break;
        }
    }
    match packet.u8_at(0)? >> 4 {
        4 | 6 => ip::decode(packet, place),
        // The control word of a pseudowire (RFC 4385), which most often carries Ethernet.
        0 => decode_ethernet(packet.skip(4)?, place.deeper()?),
        _ => Ok(Packet::Other),
    }
}
