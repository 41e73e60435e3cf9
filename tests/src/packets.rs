//! Packets as they lie on the wire: a description in, the bytes of a frame out.
//!
//! Every length, header and flag is what a test says it is; only checksums are left at zero, which
//! nobody here verifies.

use std::net::{IpAddr, SocketAddr};

/// Bytes of an Ethernet header.
pub const ETHERNET_BYTES: usize = 14;

/// TCP header flags (RFC 9293 section 3.1).
pub const FIN: u8 = 1;
/// Synchronise sequence numbers.
pub const SYN: u8 = 2;
/// Reset the connection.
pub const RST: u8 = 4;
/// The receiver is to give what has come to its application.
pub const PSH: u8 = 8;
/// The acknowledgement number is significant.
pub const ACK: u8 = 16;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const PROTOCOL_TCP: u8 = 6;
/// The protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;

/// One TCP segment, or UDP datagram, and what it is wrapped in.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Who sends it.
    pub source: SocketAddr,
    /// Whom it is for; of the same family as `source`.
    pub destination: SocketAddr,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// TCP header flags.
    pub flags: u8,
    /// What TCP or UDP carries.
    pub payload: Vec<u8>,
    /// VLAN tags, outermost first: EtherType of the tag, and its control information.
    pub vlans: Vec<(u16, u16)>,
    /// IPv4 options, a multiple of four bytes.
    pub ip_options: Vec<u8>,
    /// TCP options, a multiple of four bytes.
    pub tcp_options: Vec<u8>,
    /// IPv6 extension headers: protocol number, and the whole header but its first byte.
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// IPv4 flags and fragment offset.
    pub fragment: u16,
    /// The IP protocol, TCP unless a test says otherwise.
    pub protocol: u8,
    /// The IP length field says 0, as in a packet that is larger than it can say.
    pub length_unsaid: bool,
    /// What UDP says of its length, where that is not the truth.
    pub udp_length: Option<u16>,
    /// Bytes behind the IP packet, as Ethernet pads short frames.
    pub padding: usize,
}

impl Packet {
    /// A segment from `source` to `destination` that carries `payload`.
    ///
    /// # Panics
    /// If an address is not one.
    #[must_use]
    pub fn new(source: &str, destination: &str, payload: &[u8]) -> Self {
        let address = |text: &str| text.parse().expect("a test's address is written as one");
        Self {
            source: address(source),
            destination: address(destination),
            seq: 1000,
            ack: 5000,
            flags: ACK,
            payload: payload.to_vec(),
            vlans: Vec::new(),
            ip_options: Vec::new(),
            tcp_options: Vec::new(),
            extensions: Vec::new(),
            fragment: 0,
            protocol: PROTOCOL_TCP,
            length_unsaid: false,
            udp_length: None,
            padding: 0,
        }
    }

    /// A datagram from `source` to `destination` that carries `payload`.
    ///
    /// # Panics
    /// If an address is not one.
    #[must_use]
    pub fn datagram(source: &str, destination: &str, payload: &[u8]) -> Self {
        Self { protocol: PROTOCOL_UDP, ..Self::new(source, destination, payload) }
    }

    /// The same connection's other direction: answers all that this packet carries.
    #[must_use]
    pub fn answer(&self, payload: &[u8]) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            seq: self.ack,
            ack: self.end(),
            payload: payload.to_vec(),
            ..self.clone()
        }
    }

    /// The sender's next segment.
    #[must_use]
    pub fn next(&self, payload: &[u8]) -> Self {
        Self { seq: self.end(), payload: payload.to_vec(), ..self.clone() }
    }

    /// The sequence number behind the payload.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.seq.wrapping_add(u32::try_from(self.payload.len()).expect("a payload is small"))
    }

    /// The frame with its Ethernet header.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        for (tag, control) in &self.vlans {
            frame.extend(tag.to_be_bytes());
            frame.extend(control.to_be_bytes());
        }
        let ethertype = if self.source.is_ipv4() { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 };
        frame.extend(ethertype.to_be_bytes());
        frame.extend(self.network());
        frame.resize(frame.len() + self.padding, 0xee);
        frame
    }

    /// The network packet alone.
    ///
    /// # Panics
    /// If source and destination are of two families.
    #[must_use]
    pub fn network(&self) -> Vec<u8> {
        let transport = if self.protocol == PROTOCOL_UDP { self.udp() } else { self.tcp() };
        let mut packet = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.ipv4(source.octets(), destination.octets(), transport.len())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.ipv6(source.octets(), destination.octets(), transport.len())
            }
            _ => panic!("a packet has addresses of one family"),
        };
        packet.extend(transport);
        packet
    }

    fn said_length(&self, length: usize) -> u16 {
        if self.length_unsaid { 0 } else { u16::try_from(length).expect("it fits its field") }
    }

    fn ipv4(&self, source: [u8; 4], destination: [u8; 4], tcp_len: usize) -> Vec<u8> {
        let header_len = 20 + self.ip_options.len();
        let words = u8::try_from(header_len / 4).expect("options are 40 bytes at most");
        let mut header = vec![0x40 | words, 0];
        header.extend(self.said_length(header_len + tcp_len).to_be_bytes());
        header.extend([0, 1]);
        header.extend(self.fragment.to_be_bytes());
        header.extend([64, self.protocol, 0, 0]);
        header.extend(source);
        header.extend(destination);
        header.extend(&self.ip_options);
        header
    }

    fn ipv6(&self, source: [u8; 16], destination: [u8; 16], tcp_len: usize) -> Vec<u8> {
        let extensions_len: usize = self.extensions.iter().map(|(_, rest)| 1 + rest.len()).sum();
        let first = self.extensions.first().map_or(self.protocol, |(kind, _)| *kind);
        let mut header = vec![0x60, 0, 0, 0];
        header.extend(self.said_length(extensions_len + tcp_len).to_be_bytes());
        header.extend([first, 64]);
        header.extend(source);
        header.extend(destination);
        for (index, (_, rest)) in self.extensions.iter().enumerate() {
            let following = self.extensions.get(index + 1);
            header.push(following.map_or(self.protocol, |(kind, _)| *kind));
            header.extend(rest);
        }
        header
    }

    fn udp(&self) -> Vec<u8> {
        let length = u16::try_from(8 + self.payload.len()).expect("a payload is small");
        let mut datagram = Vec::with_capacity(8 + self.payload.len());
        datagram.extend(self.source.port().to_be_bytes());
        datagram.extend(self.destination.port().to_be_bytes());
        datagram.extend(self.udp_length.unwrap_or(length).to_be_bytes());
        datagram.extend([0, 0]);
        datagram.extend(&self.payload);
        datagram
    }

    fn tcp(&self) -> Vec<u8> {
        let words = 5 + self.tcp_options.len() / 4;
        let words = u8::try_from(words).expect("options are 40 bytes at most");
        let mut segment = Vec::with_capacity(20 + self.payload.len());
        segment.extend(self.source.port().to_be_bytes());
        segment.extend(self.destination.port().to_be_bytes());
        segment.extend(self.seq.to_be_bytes());
        segment.extend(self.ack.to_be_bytes());
        segment.extend([words << 4, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(&self.tcp_options);
        segment.extend(&self.payload);
        segment
    }
}
