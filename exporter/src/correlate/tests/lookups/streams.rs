//! DNS lookups over connections.

use super::super::{ACK, FIN, RST, SECOND_NS, Wire};
use super::{ADDRESS, Found, Role, Unit, WWW, query, response, tell};
use crate::dns::{Lookup, Transport};
use crate::event::SocketChange;
use crate::stats::{Cause, Outcome};

impl Wire {
    fn to_resolver() -> Self {
        let mut wire = Self::new();
        wire.server.port = 53;
        wire.handshake();
        wire
    }

    fn lookups(&self) -> Vec<&Lookup> {
        let lookup = |found: &'_ Found| matches!(found, Found::Lookup(_));
        let found = self.found.iter().filter(|found| lookup(found));
        found
            .map(|found| match found {
                Found::Lookup(lookup) => &**lookup,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn lookups_told(&self) -> Vec<String> {
        self.lookups().into_iter().map(tell).collect()
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).expect("a test's message is short");
    [&len.to_be_bytes(), message].concat()
}

fn asked(id: u16) -> Vec<u8> {
    framed(&query(id, WWW, 1))
}

fn answered(id: u16) -> Vec<u8> {
    framed(&response(id, WWW, &[ADDRESS]))
}

#[test]
fn queries_on_one_connection_are_answered_in_any_order() {
    let mut wire = Wire::to_resolver();
    wire.client([asked(1), asked(2), asked(3)].concat());
    wire.server([answered(2), answered(3)].concat()).server(answered(1));
    assert_eq!(wire.lookups_told(), ["2/2", "3/3", "1/1"]);
    let lookup = wire.lookups()[0];
    assert_eq!((lookup.client, lookup.server), (wire.client, wire.server));
    assert_eq!(lookup.transport, Transport::Tcp);
}

#[test]
fn any_port_will_do_and_segments_may_end_anywhere() {
    let (asked, answered) = ([asked(1), asked(2)].concat(), [answered(1), answered(2)].concat());
    for cut in 1..asked.len() {
        let mut wire = Wire::open();
        wire.client(&asked[..cut]).client(&asked[cut..]);
        wire.server(&answered[..cut]).server(&answered[cut..]);
        assert_eq!(wire.lookups_told(), ["1/1", "2/2"], "cut at {cut}");
    }
}

#[test]
fn a_query_that_the_connection_does_not_outlast_has_failed() {
    for (flags, told) in [(FIN | ACK, "1/- ConnectionClosed"), (RST | ACK, "1/- ConnectionReset")] {
        let mut wire = Wire::to_resolver();
        wire.client(asked(1)).send(false, flags, b"");
        assert_eq!(wire.lookups_told(), [told]);
    }
}

#[test]
fn a_slow_response_over_a_connection_is_no_timeout() {
    let mut wire = Wire::to_resolver();
    wire.client(asked(1)).at(20 * SECOND_NS).expire();
    wire.server(answered(1));
    assert_eq!(wire.lookups_told(), ["1/1"]);
}

#[test]
fn what_was_not_captured_fails_nobody() {
    let mut wire = Wire::to_resolver();
    wire.client([asked(1), asked(2)].concat()).lose(false, answered(1)).server(answered(2));
    wire.client(asked(3)).at(20 * SECOND_NS).expire();
    wire.server(answered(3)).send(false, FIN | ACK, b"");
    assert_eq!(wire.lookups_told(), ["2/2", "3/3", "1/- Gap"]);
}

#[test]
fn a_connection_that_was_joined_is_read_from_where_a_message_begins() {
    for port in [53, 8053] {
        let mut wire = Wire::new();
        wire.server.port = port;
        wire.server(&answered(1)[10..]).client(asked(2)).server(answered(2));
        assert_eq!(wire.lookups_told(), ["2/2"], "port {port}");
    }
}

#[test]
fn a_message_that_cannot_be_read_is_counted_and_the_next_is_read() {
    let mut wire = Wire::to_resolver();
    wire.client([framed(&[0xff; 30]), asked(2)].concat()).server(answered(2));
    assert_eq!(wire.lookups_told(), ["2/2"]);
    assert_eq!(wire.account.row(Unit::Dns).count(Outcome::Lost(Cause::Malformed)), 1);
}

#[test]
fn both_ends_of_a_connection_on_this_host_have_a_view() {
    let mut wire = Wire::to_resolver();
    wire.socket(true, SocketChange::Open, 42, super::super::CLIENT_COOKIE);
    wire.socket(false, SocketChange::Open, 43, super::super::SERVER_COOKIE);
    wire.client(asked(1)).server(answered(1));
    let views: Vec<_> =
        wire.lookups()[0].views.iter().map(|view| (view.role, view.process.pid)).collect();
    assert_eq!(views, [(Role::Client, 42), (Role::Server, 43)]);
}

#[test]
fn memory_is_given_back_and_the_connection_read_on() {
    let mut wire = Wire::to_resolver();
    wire.correlator.limits.memory_bytes = 10_000;
    let many: Vec<u8> = (0..100).flat_map(asked).collect();
    wire.client(many);
    assert!(wire.correlator.memory <= 10_000);
    assert_eq!(wire.lookups().len(), 100);
    wire.client(asked(500)).server(answered(500));
    assert_eq!(wire.lookups_told().last().map(String::as_str), Some("500/500"));
}
