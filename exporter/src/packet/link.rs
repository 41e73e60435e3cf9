//! Link types: from a frame to what it carries. The numbers and layouts are those of the registry
//! at tcpdump.org/linktypes.html.

use std::fmt;

use etherparse::EtherType;

use super::{Captured, Error, Packet, Place, ether, ip, ppp, wireless};

/// The type of a link, as capture files number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

/// Reads a frame of a type.
type Read = for<'a> fn(Captured<'a>, Place) -> Result<Packet<'a>, Error>;

/// `NFULA_PAYLOAD` of `linux/netfilter/nfnetlink_log.h`.
const NFLOG_PAYLOAD: u16 = 9;
/// Values of `sll_protocol` (packet(7)) that are no EtherType.
const SLL_802_2: [u16; 2] = [1, 4];

/// What is known of the types: their numbers, their names, and how they are read, if they are.
const TYPES: [(u16, &str, Option<Read>); 53] = [
    (0, "NULL", Some(null)),
    (1, "ETHERNET", Some(ether::decode_ethernet)),
    (3, "AX25", None),
    (6, "IEEE802_5", None),
    (7, "ARCNET_BSD", Some(|frame, place| arcnet(frame, 2, place))),
    (8, "SLIP", Some(slip)),
    (9, "PPP", Some(ppp::decode)),
    (10, "FDDI", None),
    (11, "ATM_RFC1483", Some(ether::decode_llc)),
    (12, "RAW", Some(ip::decode)),
    (14, "RAW", Some(ip::decode)),
    (50, "PPP_HDLC", Some(ppp::decode_hdlc)),
    (51, "PPP_ETHER", Some(ppp::decode_pppoe)),
    (100, "ATM_RFC1483", Some(ether::decode_llc)),
    (101, "RAW", Some(ip::decode)),
    (104, "C_HDLC", Some(cisco_hdlc)),
    (105, "IEEE802_11", Some(wireless::decode)),
    (107, "FRELAY", None),
    (108, "LOOP", Some(null)),
    (109, "ENC", None),
    (113, "LINUX_SLL", Some(linux_cooked)),
    (117, "PFLOG", None),
    (119, "IEEE802_11_PRISM", None),
    (122, "IP_OVER_FC", None),
    (127, "IEEE802_11_RADIOTAP", Some(wireless::decode_radiotap)),
    (129, "ARCNET_LINUX", Some(|frame, place| arcnet(frame, 4, place))),
    (140, "MTP2", None),
    (143, "DOCSIS", None),
    (144, "LINUX_IRDA", None),
    (163, "IEEE802_11_AVS", None),
    (166, "PPP_PPPD", Some(|frame, place| ppp::decode(frame.skip(2)?, place))),
    (187, "BLUETOOTH_HCI_H4", None),
    (189, "USB_LINUX", None),
    (192, "PPI", Some(|frame, place| nested(frame, frame.le_u16_at(2)?, 4, place))),
    (195, "IEEE802_15_4_WITHFCS", None),
    (201, "BLUETOOTH_HCI_H4_WITH_PHDR", None),
    (204, "PPP_WITH_DIR", Some(|frame, place| ppp::decode(frame.skip(1)?, place))),
    (215, "IEEE802_15_4_NONASK_PHY", None),
    (219, "MPLS", Some(ether::decode_mpls)),
    (220, "USB_LINUX_MMAPPED", None),
    (227, "CAN_SOCKETCAN", None),
    (228, "IPV4", Some(ip::decode_v4)),
    (229, "IPV6", Some(ip::decode_v6)),
    (230, "IEEE802_15_4_NOFCS", None),
    (239, "NFLOG", Some(nflog)),
    (240, "NETANALYZER", None),
    (242, "IPOIB", None),
    (249, "USBPCAP", None),
    (252, "WIRESHARK_UPPER_PDU", None),
    (253, "NETLINK", None),
    (258, "PKTAP", Some(|frame, place| nested(frame, frame.le_u16_at(0)?, 8, place))),
    (271, "VSOCK", None),
    (276, "LINUX_SLL2", Some(linux_cooked_2)),
];

impl LinkType {
    fn known(self) -> Option<&'static (u16, &'static str, Option<Read>)> {
        TYPES.iter().find(|(number, ..)| *number == self.0)
    }

    /// Whether packets of such links are read.
    #[must_use]
    pub fn is_read(self) -> bool {
        self.known().is_some_and(|(.., read)| read.is_some())
    }

    pub(super) fn decode<'a>(self, frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
        match self.known() {
            Some((.., Some(read))) => read(frame, place),
            _ => Ok(Packet::Other),
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some((number, name, _)) => write!(f, "link type {name} ({number})"),
            None => write!(f, "link type {}", self.0),
        }
    }
}

/// An address family in the byte order of the machine that captured (NULL), or of the network
/// (LOOP). AF_INET is 2 everywhere; AF_INET6 is a matter of the system. Some write an EtherType.
fn null<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    let family = frame.u32_at(0)?;
    let payload = frame.skip(4)?;
    match family.min(family.swap_bytes()) {
        2 | 10 | 24 | 28 | 30 => ip::decode(payload, place),
        _ => ether::decode_payload(EtherType(frame.u16_at(2)?), payload, place),
    }
}

/// Behind sixteen bytes, of which the second tells whether TCP is compressed (RFC 1144).
fn slip<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    let is_compressed = frame.u8_at(1)? & 0x80 != 0;
    let packet = frame.skip(16)?;
    if is_compressed { Ok(Packet::Other) } else { ip::decode(packet, place) }
}

fn cisco_hdlc<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    ether::decode_payload(EtherType(frame.u16_at(2)?), frame.skip(4)?, place)
}

fn linux_cooked<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    sll_payload(frame.u16_at(14)?, frame.skip(16)?, place)
}

fn linux_cooked_2<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    sll_payload(frame.u16_at(0)?, frame.skip(20)?, place)
}

fn sll_payload(protocol: u16, payload: Captured<'_>, place: Place) -> Result<Packet<'_>, Error> {
    if SLL_802_2.contains(&protocol) {
        return ether::decode_llc(payload, place);
    }
    ether::decode_payload(EtherType(protocol), payload, place)
}

/// What the Linux firewall logs: attributes in the byte order of the machine that captured.
fn nflog<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    // The first attribute is short, so that one byte of its length is 0.
    let is_big_endian = frame.u8_at(4)? == 0;
    let mut attributes = frame.skip(4)?;
    while !attributes.is_empty() {
        let (len, kind) = if is_big_endian {
            (attributes.u16_at(0)?, attributes.u16_at(2)?)
        } else {
            (attributes.le_u16_at(0)?, attributes.le_u16_at(2)?)
        };
        let len = usize::from(len);
        if len < 4 {
            return Err(Error::Malformed);
        }
        if kind & 0x7fff == NFLOG_PAYLOAD {
            return ip::decode(attributes.of_len(len).skip(4)?, place);
        }
        attributes = attributes.skip(len.next_multiple_of(4))?;
    }
    Ok(Packet::Other)
}

/// ARCNET (RFC 1201, RFC 1051): the type stands behind `addresses` bytes.
fn arcnet(frame: Captured<'_>, addresses: usize, place: Place) -> Result<Packet<'_>, Error> {
    let payload = frame.skip(addresses + 1)?;
    match frame.u8_at(addresses)? {
        // RFC 1051 has nothing in between.
        240 => ip::decode_v4(payload, place),
        // RFC 1201 splits what is long: those parts are not put together.
        212 if payload.u8_at(0)? == 0 => ip::decode_v4(payload.skip(3)?, place),
        196 if payload.u8_at(0)? == 0 => ip::decode_v6(payload.skip(3)?, place),
        _ => Ok(Packet::Other),
    }
}

/// A header of `len` bytes that tells at `at` which type follows it.
fn nested(frame: Captured<'_>, len: u16, at: usize, place: Place) -> Result<Packet<'_>, Error> {
    let link = LinkType(frame.le_u16_at(at)?);
    let inner = frame.skip(usize::from(len).max(at + 4))?;
    link.decode(inner, place.deeper()?)
}
