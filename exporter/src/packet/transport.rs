//! TCP (RFC 9293 section 3.1) and UDP (RFC 768) headers.

use super::fragments::Addresses;
use super::{Captured, Error, Packet, Place, tunnel};
use crate::event::{Datagram, Segment, TcpFlags};
use crate::flow::{Cell, Endpoint, Tuple};

const TCP_HEADER_BYTES: usize = 20;
const UDP_HEADER_BYTES: usize = 8;

pub(super) fn decode_tcp<'a>(
    packet: Captured<'a>,
    addresses: Addresses,
    place: Place,
) -> Result<Packet<'a>, Error> {
    let header_len = usize::from(packet.u8_at(12)? >> 4) * 4;
    if header_len < TCP_HEADER_BYTES {
        return Err(Error::Malformed);
    }
    let payload = packet.skip(header_len)?;
    Ok(Packet::Segment(Segment {
        at: place.at,
        tuple: tuple(addresses, packet)?,
        socket_cookie: 0,
        seq: packet.u32_at(4)?,
        ack: packet.u32_at(8)?,
        len: length(payload)?,
        flags: TcpFlags(packet.u8_at(13)?),
        payload: payload.bytes(),
        cell: Cell::default(),
    }))
}

pub(super) fn decode_udp<'a>(
    packet: Captured<'a>,
    addresses: Addresses,
    place: Place,
) -> Result<Packet<'a>, Error> {
    let packet = match usize::from(packet.u16_at(4)?) {
        // Larger than the field can tell (RFC 2675 section 4).
        0 => packet,
        len if len > packet.len() => return Err(Error::Malformed),
        len => packet.of_len(len),
    };
    let payload = packet.skip(UDP_HEADER_BYTES)?;
    let tuple = tuple(addresses, packet)?;
    if let Some(inner) = tunnel::decode_udp(&tuple, payload, place) {
        return inner;
    }
    Ok(Packet::Datagram(Datagram {
        at: place.at,
        tuple,
        socket_cookie: 0,
        sighting: 0,
        owner: None,
        len: length(payload)?,
        payload: payload.bytes(),
    }))
}

/// Both headers begin with the ports.
fn tuple(addresses: Addresses, header: Captured<'_>) -> Result<Tuple, Error> {
    Ok(Tuple {
        source: Endpoint { address: addresses.source, port: header.u16_at(0)? },
        destination: Endpoint { address: addresses.destination, port: header.u16_at(2)? },
    })
}

fn length(payload: Captured<'_>) -> Result<u32, Error> {
    u32::try_from(payload.len()).map_err(|_| Error::Malformed)
}
