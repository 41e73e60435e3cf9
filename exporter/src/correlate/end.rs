//! A connection's socket on this host: whose it is, and what it says when it opens and closes.

use std::sync::Arc;

use crate::connection::{Change, CloseReason, Connection};
use crate::event::{SocketChange, SocketEvent, SocketRole};
use crate::exchange::{Role, SpanContext, View};
use crate::flow::Timestamp;
use crate::process::Process;

/// TCP states (`include/net/tcp_states.h`) in which a socket that closes has seen its peer's FIN.
const TCP_LAST_ACK: u8 = 9;
const TCP_FIN_WAIT2: u8 = 5;
const TCP_TIME_WAIT: u8 = 6;
const TCP_CLOSING: u8 = 11;

/// A socket of this host at one end.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) process: Arc<Process>,
    role: SocketRole,
    socket_cookie: u64,
    netns_inode: u32,
    opened: Option<Timestamp>,
    closed: bool,
}

impl End {
    pub(super) fn new(event: &SocketEvent, process: Arc<Process>) -> Self {
        Self {
            process,
            role: event.role,
            socket_cookie: event.socket_cookie,
            netns_inode: event.netns_inode,
            opened: (event.change == SocketChange::Open).then_some(event.at),
            closed: false,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn is_client(&self) -> bool {
        self.role == SocketRole::Client
    }

    /// Whether it may have called connect: of a socket that is older than headertap it is not known.
    pub(super) fn may_be_client(&self) -> bool {
        self.role != SocketRole::Server
    }

    pub(super) fn socket_cookie(&self) -> u64 {
        self.socket_cookie
    }

    /// The same socket again: what `newer` knows better.
    pub(super) fn learn(&mut self, newer: Self) {
        if self.socket_cookie != newer.socket_cookie {
            *self = newer;
            return;
        }
        if self.process.pid == 0 {
            self.process = newer.process;
        }
        self.opened = self.opened.or(newer.opened);
    }

    /// What the event says of the connection; `None` for a socket that is merely found. `reset`
    /// is who reset the connection, if that was seen.
    pub(super) fn change(
        &mut self,
        event: &SocketEvent,
        reset: Option<CloseReason>,
    ) -> Option<Change> {
        match event.change {
            SocketChange::Existing => None,
            SocketChange::Open => Some(Change::Open),
            SocketChange::Failed => {
                self.closed = true;
                let refused = reset == Some(CloseReason::RstReceived);
                Some(Change::Failed(if refused { "connection_refused" } else { "timeout" }))
            }
            SocketChange::Close => {
                self.closed = true;
                Some(Change::Close {
                    reason: reset.unwrap_or_else(|| close_reason(event.old_state)),
                    totals: event.totals,
                    duration_ns: self.opened.map(|opened| event.at.since(opened)),
                })
            }
        }
    }

    pub(super) fn connection(
        &self,
        event: &SocketEvent,
        observed: Timestamp,
        change: Change,
    ) -> Connection {
        Connection {
            id: self.connection_id(),
            tuple: event.tuple,
            role: match self.role {
                SocketRole::Client => Role::Client,
                SocketRole::Server => Role::Server,
                SocketRole::Unknown => Role::Observer,
            },
            process: self.process.clone(),
            socket_cookie: self.socket_cookie,
            netns_inode: self.netns_inode,
            at: event.at,
            observed,
            change,
        }
    }

    pub(super) fn view(&self, role: Role, span: SpanContext) -> View {
        View {
            role,
            process: self.process.clone(),
            span,
            socket_cookie: self.socket_cookie,
            netns_inode: self.netns_inode,
            connection_id: self.connection_id(),
        }
    }

    /// A socket's cookie is unique until the host restarts; the namespace and the start make the
    /// id unlike those of other hosts.
    fn connection_id(&self) -> u64 {
        let start = self.opened.unwrap_or_default().0;
        let mixed = (self.socket_cookie ^ u64::from(self.netns_inode) << 32 ^ start)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 29
    }
}

fn close_reason(old_state: u8) -> CloseReason {
    match old_state {
        TCP_LAST_ACK | TCP_TIME_WAIT | TCP_FIN_WAIT2 | TCP_CLOSING => CloseReason::Fin,
        _ => CloseReason::Unknown,
    }
}
