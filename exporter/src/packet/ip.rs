//! IPv4 (RFC 791) and IPv6 (RFC 8200): from a header to what it carries.

use std::net::Ipv4Addr;

use etherparse::err::{ipv4, ipv6};
use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, ip_number};

use super::fragments::{Addresses, Fragment};
use super::{Captured, Error, Packet, Place, ether, transport, tunnel};

const IPV6_HEADER_BYTES: usize = 40;
const FRAGMENT_HEADER_BYTES: usize = 8;

/// A packet whose first four bits are its version.
pub(super) fn decode<'a>(packet: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    match packet.u8_at(0)? >> 4 {
        4 => decode_v4(packet, place),
        6 => decode_v6(packet, place),
        _ => Err(Error::Malformed),
    }
}

pub(super) fn decode_v4<'a>(packet: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    let place = place.deeper()?;
    let header = Ipv4HeaderSlice::from_slice(packet.bytes()).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(error) => packet.lacks(error.required_len),
        ipv4::HeaderSliceError::Content(_) => Error::Malformed,
    })?;
    let header_len = header.slice().len();
    let packet = match usize::from(header.total_len()) {
        // The sender's hardware was to fill it in, as it cut a large packet into real ones.
        0 => packet,
        total if total < header_len => return Err(Error::Malformed),
        total => packet.of_len(total),
    };
    let payload = packet.skip(header_len)?;
    let addresses = Addresses {
        source: mapped(header.source_addr()),
        destination: mapped(header.destination_addr()),
    };
    if !header.is_fragmenting_payload() {
        return decode_payload(header.protocol(), payload, addresses, place);
    }
    Ok(Packet::Fragment(Fragment {
        addresses,
        is_v6: false,
        id: header.identification().into(),
        protocol: header.protocol(),
        offset: header.fragments_offset().byte_offset().into(),
        more: header.more_fragments(),
        payload,
        at: place.at,
        depth: place.depth,
    }))
}

fn mapped(address: Ipv4Addr) -> [u8; 16] {
    address.to_ipv6_mapped().octets()
}

pub(super) fn decode_v6<'a>(packet: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    let place = place.deeper()?;
    let header = Ipv6HeaderSlice::from_slice(packet.bytes()).map_err(|error| match error {
        ipv6::HeaderSliceError::Len(error) => packet.lacks(error.required_len),
        ipv6::HeaderSliceError::Content(_) => Error::Malformed,
    })?;
    let packet = match usize::from(header.payload_length()) {
        // A jumbogram (RFC 2675), or what hardware was to cut: all that is there.
        0 => packet,
        len => packet.of_len(IPV6_HEADER_BYTES + len),
    };
    let addresses = Addresses { source: header.source(), destination: header.destination() };
    decode_payload(header.next_header(), packet.skip(IPV6_HEADER_BYTES)?, addresses, place)
}

/// What stands behind an IP header: extension headers (RFC 8200 section 4), each at least eight
/// bytes long, and what they lead to.
pub(super) fn decode_payload<'a>(
    mut protocol: IpNumber,
    mut payload: Captured<'a>,
    addresses: Addresses,
    place: Place,
) -> Result<Packet<'a>, Error> {
    loop {
        let words = || payload.u8_at(1).map(usize::from);
        let len = match protocol {
            ip_number::TCP => return transport::decode_tcp(payload, addresses, place),
            ip_number::UDP => return transport::decode_udp(payload, addresses, place),
            ip_number::GRE => return tunnel::decode_gre(payload, place),
            ip_number::MPLS_IN_IP => return ether::decode_mpls(payload, place),
            ip_number::IPV4 => return decode_v4(payload, place),
            ip_number::IPV6 => return decode_v6(payload, place),
            ip_number::IPV6_FRAG => {
                let header = Ipv6FragmentHeaderSlice::from_slice(payload.bytes())
                    .map_err(|_| payload.lacks(FRAGMENT_HEADER_BYTES))?;
                if header.is_fragmenting_payload() {
                    return fragment_v6(&header, payload, addresses, place);
                }
                FRAGMENT_HEADER_BYTES
            }
            ip_number::AUTH => (words()? + 2) * 4,
            ip_number::IPV6_HOP_BY_HOP
            | ip_number::IPV6_ROUTE
            | ip_number::IPV6_DEST_OPTIONS
            | ip_number::MOBILITY_HEADER
            | ip_number::HIP
            | ip_number::SHIM6 => (words()? + 1) * 8,
            _ => return Ok(Packet::Other),
        };
        protocol = IpNumber(payload.u8_at(0)?);
        payload = payload.skip(len)?;
    }
}

fn fragment_v6<'a>(
    header: &Ipv6FragmentHeaderSlice<'_>,
    payload: Captured<'a>,
    addresses: Addresses,
    place: Place,
) -> Result<Packet<'a>, Error> {
    Ok(Packet::Fragment(Fragment {
        addresses,
        is_v6: true,
        id: header.identification(),
        protocol: header.next_header(),
        offset: header.fragment_offset().byte_offset().into(),
        more: header.more_fragments(),
        payload: payload.skip(FRAGMENT_HEADER_BYTES)?,
        at: place.at,
        depth: place.depth,
    }))
}
