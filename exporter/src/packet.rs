//! Captured packets: the bytes of one packet and its link type in; a TCP segment, a UDP datagram or
//! a fragment of either out.
//!
//! Pure. VLAN tags, MPLS, PPPoE and tunnels are passed over: what is given is the innermost flow.
//! Fragments are put together by [`Fragments`], whose owner brings back what has become whole.
//!
//! Every length in a packet is chosen by a stranger: bytes are taken only through [`Captured`],
//! which cannot run past what was captured and knows what was not.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod captured;
mod ether;
mod fragments;
mod ip;
mod link;
mod ppp;
mod transport;
mod tunnel;
mod wireless;

use crate::event::{Datagram, Segment};
use crate::flow::Timestamp;

pub use captured::Captured;
pub use fragments::{Fragment, Fragments, Whole};
pub use link::LinkType;

/// Headers that may stand in one another before a packet is given up: four tunnels.
const DEPTH_MAX: u8 = 5;

/// What a packet holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A TCP segment.
    Segment(Segment<'a>),
    /// A UDP datagram.
    Datagram(Datagram<'a>),
    /// A part of one of the two, or of a packet of another protocol.
    Fragment(Fragment<'a>),
    /// Neither: ARP, ICMP, what is encrypted.
    Other,
}

/// Why a packet was not understood. It is counted and passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The capture kept less of it than its headers are long.
    #[error("the capture kept less than the packet's headers")]
    CutShort,
    /// Its headers contradict themselves.
    #[error("the packet's headers are not valid")]
    Malformed,
}

/// Reads a packet as it was on a link of this type.
///
/// # Errors
/// If it is not to be understood.
pub fn decode<'a>(
    link: LinkType,
    packet: Captured<'a>,
    at: Timestamp,
) -> Result<Packet<'a>, Error> {
    link.decode(packet, Place { at, depth: 0 })
}

/// Reads what fragments have become.
///
/// # Errors
/// If it is not to be understood.
pub fn decode_whole(whole: &Whole) -> Result<Packet<'_>, Error> {
    let place = Place { at: whole.at, depth: whole.depth }.deeper()?;
    ip::decode_payload(whole.protocol, Captured::whole(&whole.bytes), whole.addresses, place)
}

/// Where in a packet the reader is.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: Timestamp,
    /// How many IP headers and other beginnings were passed: what goes round ends.
    depth: u8,
}

impl Place {
    fn deeper(self) -> Result<Self, Error> {
        let depth = self.depth + 1;
        if depth > DEPTH_MAX { Err(Error::Malformed) } else { Ok(Self { depth, ..self }) }
    }
}

#[cfg(test)]
mod tests;
