//! Link types (the registry of tcpdump.org/linktypes.html): from a frame to what it carries.

use std::fmt;

use etherparse::{EtherType, ether_type};

use super::{Captured, Error, Packet, Place, ip};

/// The type of a link, as capture files number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: an address family in the byte order of the machine that captured.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// IPv4 or IPv6 without a link's header.
    pub const RAW: Self = Self(101);

    /// Whether packets of such links are read.
    #[must_use]
    pub fn is_read(self) -> bool {
        matches!(self.0, 0 | 1 | 12 | 14 | 101 | 228 | 229)
    }

    pub(super) fn decode<'a>(self, frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
        match self.0 {
            0 => decode_null(frame, place),
            1 => decode_ethernet(frame, place),
            12 | 14 | 101 | 228 | 229 => ip::decode(frame, place),
            _ => Ok(Packet::Other),
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link type {}", self.0)
    }
}

fn decode_ethernet<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    decode_ether_type(EtherType(frame.u16_at(12)?), frame.skip(14)?, place)
}

/// What an EtherType says is there, behind any number of tags.
pub(super) fn decode_ether_type<'a>(
    mut ether_type: EtherType,
    mut payload: Captured<'a>,
    place: Place,
) -> Result<Packet<'a>, Error> {
    loop {
        match ether_type {
            ether_type::IPV4 | ether_type::IPV6 => return ip::decode(payload, place),
            ether_type::VLAN_TAGGED_FRAME
            | ether_type::PROVIDER_BRIDGING
            | ether_type::VLAN_DOUBLE_TAGGED_FRAME => {
                ether_type = EtherType(payload.u16_at(2)?);
                payload = payload.skip(4)?;
            }
            _ => return Ok(Packet::Other),
        }
    }
}

fn decode_null<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    // AF_INET is 2 everywhere, AF_INET6 has several values.
    let family = frame.u32_at(0)?;
    match family.min(family.swap_bytes()) {
        2 | 10 | 24 | 28 | 30 => ip::decode(frame.skip(4)?, place),
        _ => Ok(Packet::Other),
    }
}
