//! A TCP connection as one socket on this host had it: opened, closed with its totals, or failed.
//!
//! What `correlate` gives for socket events and `export` encodes. No header bytes are here, so
//! policy has nothing to redact.

use std::sync::Arc;

use crate::exchange::Role;
use crate::flow::{Timestamp, Tuple};
use crate::process::Process;

/// Why a connection ended, as far as the socket tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// Both sides closed in order.
    Fin,
    /// This side sent a reset.
    RstSent,
    /// The peer sent a reset.
    RstReceived,
    /// Not known.
    Unknown,
}

impl CloseReason {
    /// The value of `headertap.connection.close_reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::RstSent => "rst_sent",
            Self::RstReceived => "rst_received",
            Self::Unknown => "unknown",
        }
    }
}

/// A socket's own totals when it closed (`struct bpf_sock_ops`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Payload bytes sent and acknowledged.
    pub bytes_sent: u64,
    /// Payload bytes received in order.
    pub bytes_received: u64,
    /// Segments sent, retransmits included.
    pub packets_sent: u32,
    /// Segments received.
    pub packets_received: u32,
    /// Segments retransmitted.
    pub retransmits: u32,
    /// Smoothed round-trip time in microseconds.
    pub srtt_us: u32,
    /// Minimum round-trip time in microseconds.
    pub min_rtt_us: u32,
    /// Congestion window in segments.
    pub cwnd: u32,
}

/// What happened to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The handshake is complete.
    Open,
    /// The connection is closed.
    Close {
        /// Why.
        reason: CloseReason,
        /// What it carried.
        totals: Totals,
        /// Nanoseconds since it was opened; `None` where the opening was not seen.
        duration_ns: Option<u64>,
    },
    /// The handshake was never completed; the value of `error.type`.
    Failed(&'static str),
}

/// One change of a connection at one of its sockets.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Join key of every record of this connection at this end: a hash of network namespace,
    /// socket cookie and start.
    pub id: u64,
    /// Local (source) and peer (destination) endpoint of the socket.
    pub tuple: Tuple,
    /// Which end the socket is.
    pub role: Role,
    /// Whose socket it is.
    pub process: Arc<Process>,
    /// The socket's cookie.
    pub socket_cookie: u64,
    /// Inode of the socket's network namespace, 0 where unknown.
    pub netns_inode: u32,
    /// When it happened.
    pub at: Timestamp,
    /// When user space read it.
    pub observed: Timestamp,
    /// What happened.
    pub change: Change,
}
