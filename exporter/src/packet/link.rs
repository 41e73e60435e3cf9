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

impl LinkType {
    /// The names of the types that are read, and how they are.
    fn reader(self) -> Option<(&'static str, Read)> {
        Some(match self.0 {
            0 => ("NULL", null),
            1 => ("ETHERNET", ether::decode_ethernet),
            7 => ("ARCNET_BSD", |frame, place| arcnet(frame, 2, place)),
            8 => ("SLIP", slip),
            9 => ("PPP", ppp::decode),
            11 => ("ATM_RFC1483", ether::decode_llc),
            12 => ("RAW", ip::decode),
            14 => ("RAW", ip::decode),
            50 => ("PPP_HDLC", ppp::decode_hdlc),
            51 => ("PPP_ETHER", ppp::decode_pppoe),
            100 => ("ATM_RFC1483", ether::decode_llc),
            101 => ("RAW", ip::decode),
            104 => ("C_HDLC", cisco_hdlc),
            105 => ("IEEE802_11", wireless::decode),
            108 => ("LOOP", null),
            113 => ("LINUX_SLL", linux_cooked),
            127 => ("IEEE802_11_RADIOTAP", wireless::decode_radiotap),
            129 => ("ARCNET_LINUX", |frame, place| arcnet(frame, 4, place)),
            166 => ("PPP_PPPD", |frame, place| ppp::decode(frame.skip(2)?, place)),
            192 => ("PPI", |frame, place| nested(frame, frame.le_u16_at(2)?, 4, place)),
            204 => ("PPP_WITH_DIR", |frame, place| ppp::decode(frame.skip(1)?, place)),
            219 => ("MPLS", ether::decode_mpls),
            228 => ("IPV4", ip::decode_v4),
            229 => ("IPV6", ip::decode_v6),
            239 => ("NFLOG", nflog),
            258 => ("PKTAP", |frame, place| nested(frame, frame.le_u16_at(0)?, 8, place)),
            276 => ("LINUX_SLL2", linux_cooked_2),
            _ => return None,
        })
    }

    /// The names of others that people meet.
    fn unread_name(self) -> Option<&'static str> {
        Some(match self.0 {
            3 => "AX25",
            6 => "IEEE802_5",
            10 => "FDDI",
            107 => "FRELAY",
            109 => "ENC",
            117 => "PFLOG",
            119 => "IEEE802_11_PRISM",
            122 => "IP_OVER_FC",
            140 => "MTP2",
            143 => "DOCSIS",
            144 => "LINUX_IRDA",
            163 => "IEEE802_11_AVS",
            187 => "BLUETOOTH_HCI_H4",
            189 => "USB_LINUX",
            195 => "IEEE802_15_4_WITHFCS",
            201 => "BLUETOOTH_HCI_H4_WITH_PHDR",
            215 => "IEEE802_15_4_NONASK_PHY",
            220 => "USB_LINUX_MMAPPED",
            227 => "CAN_SOCKETCAN",
            230 => "IEEE802_15_4_NOFCS",
            240 => "NETANALYZER",
            242 => "IPOIB",
            249 => "USBPCAP",
            252 => "WIRESHARK_UPPER_PDU",
            253 => "NETLINK",
            271 => "VSOCK",
            _ => return None,
        })
    }

    /// Whether packets of such links are read.
    #[must_use]
    pub fn is_read(self) -> bool {
        self.reader().is_some()
    }

    pub(super) fn decode<'a>(self, frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
        match self.reader() {
            Some((_, read)) => read(frame, place),
            None => Ok(Packet::Other),
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reader().map(|(name, _)| name).or(self.unread_name()) {
            Some(name) => write!(f, "link type {name} ({})", self.0),
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
