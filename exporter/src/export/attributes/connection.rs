//! The attributes of a change of a connection.

use super::{Key, Value, Visit, network_type, table};
use crate::connection::{Change, CloseReason, Connection, Totals};
use crate::exchange::Role;

/// Visits the attributes of a change of a connection.
pub fn connection(connection: &Connection, visitor: &mut impl FnMut(Key<'_>, Value<'_>)) {
    let mut visit = Visit::new(visitor);
    let (local, peer) = (connection.tuple.source, connection.tuple.destination);
    visit.str(table::NETWORK_TRANSPORT, "tcp");
    visit.str(table::NETWORK_TYPE, network_type(&local));
    visit.endpoint([table::NETWORK_LOCAL_ADDRESS, table::NETWORK_LOCAL_PORT], local);
    visit.endpoint([table::NETWORK_PEER_ADDRESS, table::NETWORK_PEER_PORT], peer);
    let (client, server) = match connection.role {
        Role::Client => (Some(local), Some(peer)),
        Role::Server => (Some(peer), Some(local)),
        Role::Observer => (None, None),
    };
    if let Some(client) = client {
        visit.endpoint([table::CLIENT_ADDRESS, table::CLIENT_PORT], client);
    }
    if let Some(server) = server {
        visit.endpoint([table::SERVER_ADDRESS, table::SERVER_PORT], server);
    }
    change(&mut visit, &connection.change);
    visit.id(table::CONNECTION_ID, connection.id);
    visit.str(table::CONNECTION_ROLE, connection.role.as_str());
    visit.known(table::NETNS_INODE, u64::from(connection.netns_inode));
    visit.known(table::SOCKET_COOKIE, connection.socket_cookie);
}

fn change<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, change: &Change) {
    match *change {
        Change::Open => visit.str(table::NETWORK_CONNECTION_STATE, "established"),
        Change::Failed(reason) => visit.str(table::ERROR_TYPE, reason),
        Change::Close { reason, totals: sums, duration_ns } => {
            visit.str(table::NETWORK_CONNECTION_STATE, "closed");
            if matches!(reason, CloseReason::RstSent | CloseReason::RstReceived) {
                visit.str(table::ERROR_TYPE, "connection_reset");
            }
            visit.str(table::CONNECTION_CLOSE_REASON, reason.as_str());
            if let Some(duration) = duration_ns {
                visit.int(table::CONNECTION_DURATION_NS, duration);
            }
            totals(visit, &sums);
        }
    }
}

fn totals<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, totals: &Totals) {
    visit.int(table::CONNECTION_BYTES_SENT, totals.bytes_sent);
    visit.int(table::CONNECTION_BYTES_RECEIVED, totals.bytes_received);
    visit.int(table::CONNECTION_PACKETS_SENT, totals.packets_sent);
    visit.int(table::CONNECTION_PACKETS_RECEIVED, totals.packets_received);
    visit.int(table::TCP_RETRANSMITS, totals.retransmits);
    visit.known(table::TCP_SRTT_US, u64::from(totals.srtt_us));
    visit.known(table::TCP_MIN_RTT_US, u64::from(totals.min_rtt_us));
    visit.known(table::TCP_CWND, u64::from(totals.cwnd));
}
