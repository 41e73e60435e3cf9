//! PPP (RFC 1661), also in HDLC-like framing (RFC 1662) and over Ethernet (RFC 2516).

use super::{Captured, Error, Packet, Place, ether, ip};

/// All stations, unnumbered information.
const ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 3];
/// The addresses of Cisco's HDLC.
const CISCO: [u8; 2] = [0x0f, 0x8f];
const PPPOE_HEADER_BYTES: usize = 6;

pub(super) fn decode<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    let has_address = frame.header().is_ok_and(|start| *start == ADDRESS_AND_CONTROL);
    let frame = if has_address { frame.skip(2)? } else { frame };
    // A protocol number ends with an odd byte; the first one may be left out if it is 0.
    let first = frame.u8_at(0)?;
    let (protocol, payload) = if first & 1 == 1 {
        (u16::from(first), frame.skip(1)?)
    } else {
        (frame.u16_at(0)?, frame.skip(2)?)
    };
    match protocol {
        0x0021 => ip::decode_v4(payload, place),
        0x0057 => ip::decode_v6(payload, place),
        0x0281 | 0x0283 => ether::decode_mpls(payload, place),
        _ => Ok(Packet::Other),
    }
}

/// A serial line: PPP, or Cisco's HDLC with EtherTypes.
pub(super) fn decode_hdlc<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    if CISCO.contains(&frame.u8_at(0)?) {
        return ether::decode_payload(
            etherparse::EtherType(frame.u16_at(2)?),
            frame.skip(4)?,
            place,
        );
    }
    decode(frame, place)
}

/// A session's packet; its code is 0.
pub(super) fn decode_pppoe<'a>(packet: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    match *packet.header::<PPPOE_HEADER_BYTES>()? {
        [0x11, 0, _, _, high, low] => {
            let len = usize::from(u16::from_be_bytes([high, low]));
            decode(packet.skip(PPPOE_HEADER_BYTES)?.of_len_within(len), place)
        }
        _ => Ok(Packet::Other),
    }
}
