//! The words every stage shares: time, endpoints, flows and directions.
//!
//! Owns no state. A [`Tuple`] is seen from one packet or socket; a [`FlowKey`] is the same for
//! both directions of a connection.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Nanoseconds from `earlier` to `self`; zero if the clock stepped back between them.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// One end of a connection. IPv4 addresses are kept IPv4-mapped (RFC 4291 section 2.5.5.2), as
/// the kernel side stores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address, IPv4-mapped where it is IPv4.
    pub address: [u8; 16],
    /// The port, in host byte order.
    pub port: u16,
}

impl Endpoint {
    /// The address in its own family.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        Ipv6Addr::from(self.address).to_canonical()
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(socket: SocketAddr) -> Self {
        let address = match socket.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        Self { address: address.octets(), port: socket.port() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip(), self.port).fmt(f)
    }
}

/// Source and destination as one packet, or one socket's local and remote address, has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// The sender's endpoint, or the socket's own.
    pub source: Endpoint,
    /// The receiver's endpoint, or the socket's peer.
    pub destination: Endpoint,
}

impl Tuple {
    /// The same connection seen from its other end.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source }
    }
}

/// Which of the two directions of a [`FlowKey`] a packet went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the lower endpoint to the higher.
    LowToHigh,
    /// From the higher endpoint to the lower.
    HighToLow,
}

impl Direction {
    /// The opposite direction.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::LowToHigh => Self::HighToLow,
            Self::HighToLow => Self::LowToHigh,
        }
    }
}

/// Which end of a connection sent the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that opened the connection, and asks.
    Client,
    /// The one that accepted it, and answers.
    Server,
}

impl Side {
    /// The other end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A connection's identity: its two endpoints in order, the same for both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// The lower endpoint.
    pub low: Endpoint,
    /// The higher endpoint.
    pub high: Endpoint,
}

impl FlowKey {
    /// The flow that `tuple` belongs to, and the direction `tuple` has in it.
    #[must_use]
    pub fn of(tuple: &Tuple) -> (Self, Direction) {
        let (source, destination) = (tuple.source, tuple.destination);
        if source <= destination {
            (Self { low: source, high: destination }, Direction::LowToHigh)
        } else {
            (Self { low: destination, high: source }, Direction::HighToLow)
        }
    }
}

/// Where the kernel side keeps what it does with one direction of a flow (`bpf/event.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    /// Index in the `flows` array; the other direction's is `index ^ 1`.
    pub index: u32,
    /// What identifies the flow in that cell; 0: there is no kernel side.
    pub tag: u32,
}

impl Cell {
    /// The cell of the other direction.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { index: self.index ^ 1, tag: self.tag }
    }
}

/// How far ahead the kernel side copies a direction in which a head may come (`bpf/event.h`).
pub const COPY_WINDOW_BYTES: u32 = 80 * 1024;

/// What the kernel side is to do with one direction of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Copy payload up to this sequence number, then wait for the other direction to talk.
    CopyUntil(u32),
    /// Copy nothing before this sequence number.
    SkipUntil(u32),
    /// HTTP/2: the next frame header is at this sequence number. From there on copy everything but
    /// the payload of DATA.
    Frames(u32),
    /// Copy nothing until the next SYN.
    Done,
}
