//! Sockets at the ends: whose an exchange is, and what is said of the connection itself.

use super::{ACK, CLIENT_COOKIE, FIN, SECOND_NS, SERVER_COOKIE, SYN, Wire, endpoint, get, ok};
use crate::connection::{Change, Connection};
use crate::correlate::Found;
use crate::event::SocketChange;
use crate::exchange::Role;
use crate::stats::{Outcome, Unit};

impl Wire {
    fn connections(&self) -> Vec<&Connection> {
        let connections = self.found.iter().filter_map(|found| match found {
            Found::Connection(connection) => Some(&**connection),
            _ => None,
        });
        connections.collect()
    }

    fn pids(&self, exchange: usize) -> Vec<(Role, u32)> {
        let views = self.exchanges()[exchange].views.iter();
        views.map(|view| (view.role, view.process.pid)).collect()
    }

    fn both_open(&mut self) {
        self.socket(true, SocketChange::Open, 5, CLIENT_COOKIE);
        self.socket(false, SocketChange::Open, 6, SERVER_COOKIE);
    }
}

#[test]
fn an_exchange_of_two_local_sockets_has_two_views() {
    let mut wire = Wire::open();
    wire.both_open();
    wire.client(get("a")).server(ok("a", ""));
    assert_eq!(wire.pids(0), [(Role::Client, 5), (Role::Server, 6)]);
    assert!(wire.connections().iter().all(|connection| connection.change == Change::Open));
}

#[test]
fn a_repeated_syn_forgets_no_socket() {
    let mut wire = Wire::open();
    wire.both_open();
    let isn = u32::MAX - 100;
    wire.deliver(true, SYN, isn, 0, b"");
    wire.client(get("a")).server(ok("a", ""));
    assert_eq!(wire.pids(0), [(Role::Client, 5), (Role::Server, 6)]);
}

#[test]
fn the_sockets_of_an_earlier_connection_are_not_those_of_the_next() {
    let mut wire = Wire::open();
    wire.both_open();
    wire.socket(true, SocketChange::Close, 5, CLIENT_COOKIE);
    wire.socket(false, SocketChange::Close, 6, SERVER_COOKIE);
    (wire.client_seq, wire.server_seq) = (5_000, 9_000);
    wire.handshake();
    wire.client(get("b")).server(ok("b", ""));
    assert_eq!(wire.pids(0), [(Role::Observer, 0)]);
}

#[test]
fn a_socket_in_another_namespace_at_the_same_endpoints_is_told_apart_by_its_cookie() {
    let mut wire = Wire::open();
    wire.both_open();
    wire.client(get("a")).server(ok("a", ""));
    wire.socket(true, SocketChange::Open, 77, 99);
    wire.socket(true, SocketChange::Close, 77, 99);
    wire.client(get("b")).server(ok("b", ""));
    assert_eq!(wire.pids(1), [(Role::Client, 5), (Role::Server, 6)]);
    assert_eq!(wire.connections().len(), 4, "its own connection is told of all the same");
}

#[test]
fn segments_that_come_after_the_close_are_read() {
    let mut wire = Wire::open();
    wire.both_open();
    wire.client(get("a"));
    wire.socket(true, SocketChange::Close, 5, CLIENT_COOKIE);
    wire.socket(false, SocketChange::Close, 6, SERVER_COOKIE);
    wire.at(SECOND_NS).expire();
    wire.server(ok("a", ""));
    wire.send(false, FIN | ACK, b"");
    wire.at(SECOND_NS * 3).expire();
    assert_eq!(wire.pairs(), ["a/a"]);
    assert_eq!(wire.correlator.flows.len(), 0, "a closed flow lingers for two seconds");
}

#[test]
fn a_syn_that_nobody_answers_is_forgotten_soon() {
    let mut wire = Wire::new();
    wire.send(true, SYN, b"");
    wire.at(9 * SECOND_NS).expire();
    assert_eq!(wire.correlator.flows.len(), 1);
    wire.at(2 * SECOND_NS).expire();
    assert_eq!(wire.correlator.flows.len(), 0);
}

#[test]
fn a_silent_connection_with_an_open_socket_is_kept() {
    let mut wire = Wire::open();
    wire.both_open();
    wire.client(get("a")).server(ok("a", "")).at(3600 * SECOND_NS).expire();
    wire.client(get("b")).server(ok("b", ""));
    assert_eq!(wire.pairs(), ["a/a", "b/b"]);
    assert!(!wire.exchanges()[1].truncated_start);
}

#[test]
fn own_connections_and_those_that_the_collector_opens_are_filtered() {
    let mut wire = Wire::open();
    wire.socket(true, SocketChange::Open, 1, CLIENT_COOKIE);
    wire.socket(false, SocketChange::Open, 6, SERVER_COOKIE);
    wire.client(get("a")).server(ok("a", ""));
    wire.client = endpoint(6, 50_000);
    wire.server = endpoint(7, 4318);
    wire.handshake();
    wire.socket(true, SocketChange::Open, 6, 33);
    wire.client(get("b")).server(ok("b", ""));
    wire.finish();
    assert!(wire.pairs().is_empty());
    assert!(wire.connections().is_empty());
    assert_eq!(wire.account.row(Unit::Connections).count(Outcome::Filtered), 3);
}

#[test]
fn what_others_send_to_the_collector_is_reported() {
    let mut wire = Wire::open();
    wire.socket(true, SocketChange::Open, 1, CLIENT_COOKIE);
    wire.socket(false, SocketChange::Open, 6, SERVER_COOKIE);
    wire.client = endpoint(6, 50_000);
    wire.handshake();
    wire.socket(true, SocketChange::Open, 8, CLIENT_COOKIE);
    wire.socket(false, SocketChange::Open, 6, SERVER_COOKIE);
    wire.client(get("b")).server(ok("b", ""));
    assert_eq!(wire.pids(0), [(Role::Client, 8), (Role::Server, 6)]);
}

#[test]
fn a_socket_connected_to_itself_is_not_read() {
    let mut wire = Wire::new();
    wire.server = wire.client;
    wire.socket(true, SocketChange::Open, 5, CLIENT_COOKIE);
    wire.handshake();
    wire.client(get("a")).client(ok("a", ""));
    wire.finish();
    assert!(wire.pairs().is_empty());
    assert_eq!(wire.connections().len(), 1);
}
