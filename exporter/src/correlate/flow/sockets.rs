//! The sockets of this host at a connection's ends.

use std::sync::Arc;

use crate::connection::CloseReason;
use crate::flow::{Direction, Timestamp};
use crate::process::Process;

use super::super::end::End;
use super::Flow;

impl Flow {
    /// Whether `pid` may have opened it.
    pub(in super::super) fn may_be_opened_by(&self, pid: u32) -> bool {
        let senders = [&self.low_to_high.sender, &self.high_to_low.sender];
        senders.into_iter().flatten().any(|end| end.may_be_client() && end.process.pid == pid)
    }

    /// Whether a socket with this cookie may be the one that sends in `direction`: the same
    /// endpoints may exist in several network namespaces.
    pub(in super::super) fn may_be_sent_by(
        &self,
        direction: Direction,
        socket_cookie: u64,
    ) -> bool {
        let seen = self.way(direction).socket_cookie;
        seen == 0 || seen == socket_cookie
    }

    /// The socket that sends in `direction`, the first time with what `new` says of it.
    pub(in super::super) fn end(&mut self, direction: Direction, new: End) -> &mut End {
        if new.is_client() {
            self.client = Some(direction);
        }
        let sender = &mut self.way_mut(direction).sender;
        if let Some(end) = sender.as_mut() {
            end.learn(new);
        } else {
            *sender = Some(new);
        }
        sender.as_mut().expect("it was set above")
    }

    /// Who reset the connection, as the socket that sends in `direction` would say.
    pub(in super::super) fn reset(&self, direction: Direction) -> Option<CloseReason> {
        self.reset_by.map(|by| match by == direction {
            true => CloseReason::RstSent,
            false => CloseReason::RstReceived,
        })
    }

    /// The process that accepted a connection of `client_pid`.
    pub(in super::super) fn server_of(&self, client_pid: u32) -> Option<&Arc<Process>> {
        let client = self.client?;
        let is_his = self.sender(client).is_some_and(|end| end.process.pid == client_pid);
        let server = self.sender(client.reversed())?;
        (is_his && server.process.pid != 0).then_some(&server.process)
    }

    /// Every socket of this host at this connection is closed.
    pub(in super::super) fn note_socket_closed(&mut self, at: Timestamp) {
        let mut ends = [&self.low_to_high, &self.high_to_low]
            .into_iter()
            .filter_map(|way| way.sender.as_ref());
        if ends.all(End::is_closed) {
            self.closed_at.get_or_insert(at);
        }
    }
}
