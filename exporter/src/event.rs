//! Records of the kernel's ring buffer: bytes in, one [`Event`] out.
//!
//! The other side of `bpf/event.h`: the only place in Rust that knows the layout. A record is the
//! kernel's, but the payload behind it is a stranger's; nothing past `cap_len` is ever read.

use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::capture::{event_kind, socket_role};
use crate::connection::Totals;
use crate::flow::{Cell, Endpoint, Timestamp, Tuple};

const KIND_SEGMENT: u8 = 1;
const KIND_OPEN: u8 = 2;
const KIND_CLOSE: u8 = 3;
const KIND_FAILED: u8 = 4;
const KIND_EXISTING: u8 = 5;
const KIND_DATAGRAM: u8 = 6;
const ROLE_CLIENT: u8 = 1;
const ROLE_SERVER: u8 = 2;

/// Header flags of a TCP segment (RFC 9293 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(1);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(2);
    /// Reset the connection.
    pub const RST: Self = Self(4);
    /// The acknowledgement number is significant.
    pub const ACK: Self = Self(16);

    /// Whether every flag of `other` is set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One TCP segment, or what the flow's verdict wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// When it was captured.
    pub at: Timestamp,
    /// Sender and receiver.
    pub tuple: Tuple,
    /// The sender's socket cookie, 0 where the sender is not on this host.
    pub socket_cookie: u64,
    /// Sequence number of the first byte of `len`, or of SYN.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Payload bytes from `seq` on, captured or not.
    pub len: u32,
    /// Header flags.
    pub flags: TcpFlags,
    /// The captured bytes, at most `len`.
    pub payload: &'a [u8],
    /// Where the verdict on this direction is written.
    pub cell: Cell,
}

/// One UDP datagram (RFC 768).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// When it was captured.
    pub at: Timestamp,
    /// Sender and receiver.
    pub tuple: Tuple,
    /// The sender's socket cookie, 0 where the sender is not on this host.
    pub socket_cookie: u64,
    /// Where on this host it was seen: a network interface and a direction; 0 in a file, where
    /// each packet is there once.
    pub sighting: u32,
    /// Whose socket sent it; `None` where the sender is not on this host.
    pub owner: Option<Owner>,
    /// Payload bytes, captured or not.
    pub len: u32,
    /// The captured bytes, at most `len`.
    pub payload: &'a [u8],
}

/// Which change a socket event tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketChange {
    /// The handshake is complete.
    Open,
    /// The socket is closed.
    Close,
    /// The handshake was never completed.
    Failed,
    /// The connection is older than headertap.
    Existing,
}

/// Which side opened the connection, as the socket knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketRole {
    /// Not known.
    Unknown,
    /// It called connect.
    Client,
    /// It was accepted.
    Server,
}

/// Who created or connected a socket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// Thread group id in the initial pid namespace; 0 where not known.
    pub pid: u32,
    /// The command name, as far as the kernel keeps it (15 bytes).
    pub comm: String,
}

/// A socket's change of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketEvent {
    /// When it happened.
    pub at: Timestamp,
    /// Local (source) and peer (destination) endpoint.
    pub tuple: Tuple,
    /// The socket's cookie.
    pub socket_cookie: u64,
    /// What happened.
    pub change: SocketChange,
    /// Whose socket it is.
    pub owner: Owner,
    /// Which side it is.
    pub role: SocketRole,
    /// TCP state before the change (`include/net/tcp_states.h`).
    pub old_state: u8,
    /// Inode of its network namespace.
    pub netns_inode: u32,
    /// What it has carried.
    pub totals: Totals,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A segment on the wire.
    Segment(Segment<'a>),
    /// A datagram on the wire.
    Datagram(Datagram<'a>),
    /// A socket's change of state.
    Socket(SocketEvent),
}

/// Why a record was not understood: the two sides were built from different sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Shorter than its kind is.
    #[error("the record ends at byte {0}")]
    Short(usize),
    /// Of a kind that is not known here.
    #[error("{0} is no kind of record")]
    Kind(u8),
    /// It claims more payload than it has.
    #[error("the record claims {claimed} bytes of payload and has {present}")]
    Payload {
        /// `cap_len`.
        claimed: u32,
        /// What follows the fixed part.
        present: usize,
    },
}

#[derive(Debug, Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct WireHeader {
    boot_ns: u64,
    socket_cookie: u64,
    saddr: [u8; 16],
    daddr: [u8; 16],
    sport: u16,
    dport: u16,
    kind: u8,
    reserved: [u8; 3],
}

#[derive(Debug, Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct WireSegment {
    header: WireHeader,
    seq: u32,
    ack: u32,
    len: u32,
    cap_len: u32,
    cell: u32,
    tag: u32,
    ifindex: u32,
    tcp_flags: u8,
    reserved: [u8; 3],
}

#[derive(Debug, Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct WireOwner {
    pid: u32,
    uid: u32,
    cgroup_id: u64,
    comm: [u8; 16],
}

#[derive(Debug, Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct WireDatagram {
    header: WireHeader,
    owner: WireOwner,
    len: u32,
    cap_len: u32,
    ifindex: u32,
    ingress: u8,
    reserved: [u8; 3],
}

#[derive(Debug, Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct WireSocket {
    header: WireHeader,
    owner: WireOwner,
    bytes_sent: u64,
    bytes_received: u64,
    segments_sent: u32,
    segments_received: u32,
    retransmits: u32,
    srtt_us: u32,
    min_rtt_us: u32,
    cwnd: u32,
    netns_inode: u32,
    role: u8,
    old_state: u8,
    reserved: [u8; 2],
}

const _: () = assert!(KIND_SEGMENT as u32 == event_kind::EVENT_SEGMENT.0);
const _: () = assert!(KIND_OPEN as u32 == event_kind::EVENT_OPEN.0);
const _: () = assert!(KIND_CLOSE as u32 == event_kind::EVENT_CLOSE.0);
const _: () = assert!(KIND_FAILED as u32 == event_kind::EVENT_FAILED.0);
const _: () = assert!(KIND_EXISTING as u32 == event_kind::EVENT_EXISTING.0);
const _: () = assert!(KIND_DATAGRAM as u32 == event_kind::EVENT_DATAGRAM.0);
const _: () = assert!(ROLE_CLIENT as u32 == socket_role::ROLE_CLIENT.0);
const _: () = assert!(ROLE_SERVER as u32 == socket_role::ROLE_SERVER.0);

const _: () = assert!(size_of::<WireHeader>() == 56);
const _: () = assert!(size_of::<WireSegment>() == 88);
const _: () = assert!(size_of::<WireDatagram>() == 104);
const _: () = assert!(size_of::<WireSocket>() == 136);

/// Reads one record. `boot_offset_ns` is CLOCK_REALTIME minus CLOCK_BOOTTIME.
///
/// # Errors
/// If the record is not one that `bpf/event.h` describes.
pub fn decode(record: &[u8], boot_offset_ns: u64) -> Result<Event<'_>, Error> {
    let (header, _) = read::<WireHeader>(record)?;
    match header.kind {
        KIND_SEGMENT => decode_segment(record, boot_offset_ns).map(Event::Segment),
        KIND_DATAGRAM => decode_datagram(record, boot_offset_ns).map(Event::Datagram),
        KIND_OPEN => decode_socket(record, boot_offset_ns, SocketChange::Open),
        KIND_CLOSE => decode_socket(record, boot_offset_ns, SocketChange::Close),
        KIND_FAILED => decode_socket(record, boot_offset_ns, SocketChange::Failed),
        KIND_EXISTING => decode_socket(record, boot_offset_ns, SocketChange::Existing),
        kind => Err(Error::Kind(kind)),
    }
}

fn read<T: FromBytes + Immutable + KnownLayout>(record: &[u8]) -> Result<(T, &[u8]), Error> {
    T::read_from_prefix(record).map_err(|_| Error::Short(record.len()))
}

fn payload(rest: &[u8], cap_len: u32, len: u32) -> Result<&[u8], Error> {
    usize::try_from(cap_len.min(len))
        .ok()
        .and_then(|len| rest.get(..len))
        .ok_or(Error::Payload { claimed: cap_len, present: rest.len() })
}

fn decode_segment(record: &[u8], boot_offset_ns: u64) -> Result<Segment<'_>, Error> {
    let (wire, rest) = read::<WireSegment>(record)?;
    let payload = payload(rest, wire.cap_len, wire.len)?;
    Ok(Segment {
        at: timestamp(&wire.header, boot_offset_ns),
        tuple: tuple(&wire.header),
        socket_cookie: wire.header.socket_cookie,
        seq: wire.seq,
        ack: wire.ack,
        len: wire.len,
        flags: TcpFlags(wire.tcp_flags),
        payload,
        cell: Cell { index: wire.cell, tag: wire.tag },
    })
}

fn decode_datagram(record: &[u8], boot_offset_ns: u64) -> Result<Datagram<'_>, Error> {
    let (wire, rest) = read::<WireDatagram>(record)?;
    Ok(Datagram {
        at: timestamp(&wire.header, boot_offset_ns),
        tuple: tuple(&wire.header),
        socket_cookie: wire.header.socket_cookie,
        sighting: wire.ifindex << 1 | u32::from(wire.ingress & 1),
        owner: (wire.owner.pid != 0).then(|| owner(&wire.owner)),
        len: wire.len,
        payload: payload(rest, wire.cap_len, wire.len)?,
    })
}

fn decode_socket(
    record: &[u8],
    boot_offset_ns: u64,
    change: SocketChange,
) -> Result<Event<'_>, Error> {
    let (wire, _) = read::<WireSocket>(record)?;
    Ok(Event::Socket(SocketEvent {
        at: timestamp(&wire.header, boot_offset_ns),
        tuple: tuple(&wire.header),
        socket_cookie: wire.header.socket_cookie,
        change,
        owner: owner(&wire.owner),
        role: match wire.role {
            ROLE_CLIENT => SocketRole::Client,
            ROLE_SERVER => SocketRole::Server,
            _ => SocketRole::Unknown,
        },
        old_state: wire.old_state,
        netns_inode: wire.netns_inode,
        totals: totals(&wire),
    }))
}

fn owner(wire: &WireOwner) -> Owner {
    Owner { pid: wire.pid, comm: command(&wire.comm) }
}

fn totals(wire: &WireSocket) -> Totals {
    Totals {
        bytes_sent: wire.bytes_sent,
        bytes_received: wire.bytes_received,
        packets_sent: wire.segments_sent,
        packets_received: wire.segments_received,
        retransmits: wire.retransmits,
        srtt_us: wire.srtt_us,
        min_rtt_us: wire.min_rtt_us,
        cwnd: wire.cwnd,
    }
}

fn timestamp(header: &WireHeader, boot_offset_ns: u64) -> Timestamp {
    Timestamp(header.boot_ns.saturating_add(boot_offset_ns))
}

fn tuple(header: &WireHeader) -> Tuple {
    Tuple {
        source: Endpoint { address: header.saddr, port: header.sport },
        destination: Endpoint { address: header.daddr, port: header.dport },
    }
}

fn command(comm: &[u8; 16]) -> String {
    let name = comm.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests;
