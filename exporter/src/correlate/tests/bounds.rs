//! The bounds of the table: in number, in memory and in the time that keeping to them takes.

use super::{ACK, SECOND_NS, SYN, Wire, endpoint, get, ok};
use crate::exchange::Failure;
use crate::stats::{Cause, Outcome, Unit};

impl Wire {
    /// Goes on with another connection, between ports of its own.
    fn switch(&mut self, number: u16) -> &mut Self {
        self.client = endpoint(3, number);
        self
    }
}

#[test]
fn the_flow_that_was_silent_for_longest_goes_and_what_it_had_open_is_given() {
    let mut wire = Wire::new();
    wire.correlator.limits.flows = 100;
    let first = wire.client_seq;
    for number in 0..100 {
        wire.switch(number).client(get(&number.to_string()));
    }
    for _ in 0..50 {
        // The first is the oldest, and in use.
        let ack = wire.server_seq;
        wire.switch(0).deliver(true, ACK, first, ack, b"");
    }
    wire.switch(1000).client(get("new"));
    assert_eq!(wire.pairs(), ["1/-"]);
    assert_eq!(wire.exchanges()[0].failure, Some(Failure::Unfinished));
    for number in 2000..60_000 {
        wire.switch(number).send(true, SYN, b"");
        assert!(wire.correlator.flows.len() <= 100);
        assert!(wire.correlator.turns.len() <= 300);
    }
    wire.finish();
    assert_eq!(wire.exchanges().len(), 101);
}

#[test]
fn ports_that_come_and_go_leave_nothing_behind() {
    let mut wire = Wire::new();
    for round in 0..10_000 {
        wire.switch(round % 7).send(true, SYN, b"");
        wire.at(20 * SECOND_NS).expire();
        assert!(wire.correlator.turns.len() <= 100);
    }
}

#[test]
fn messages_that_are_never_whole_are_given_up_when_they_take_too_much() {
    let mut wire = Wire::new();
    wire.correlator.limits.memory_bytes = 1 << 20;
    let head = format!("GET /{}", "x".repeat(30_000));
    for number in 0..1000 {
        wire.switch(number).handshake();
        wire.client(&head);
        assert!(wire.correlator.memory <= 1 << 20);
    }
    let lost = wire.account.row(Unit::Http).count(Outcome::Lost(Cause::TableFull));
    assert!((960..1000).contains(&lost), "{lost} of 1000 are given up");
    wire.finish();
    assert!(wire.exchanges().is_empty());
    assert_eq!(wire.correlator.memory, 0);
}

#[test]
fn what_waits_behind_a_hole_is_given_up_when_it_takes_too_much() {
    let mut wire = Wire::new();
    wire.correlator.limits.memory_bytes = 1 << 20;
    for number in 0..200 {
        wire.switch(number).handshake();
        wire.lose(false, "x").server("y".repeat(20_000));
        assert!(wire.correlator.memory <= 1 << 20);
    }
    wire.finish();
    assert_eq!(wire.correlator.memory, 0);
}

#[test]
fn requests_that_are_never_answered_are_given_when_they_take_too_much() {
    let mut wire = Wire::new();
    wire.correlator.limits.memory_bytes = 1 << 20;
    let request = format!("GET / HTTP/1.1\r\nx-id: a\r\nx-long: {}\r\n\r\n", "x".repeat(30_000));
    for number in 0..200 {
        wire.switch(number).handshake();
        wire.client(&request);
        assert!(wire.correlator.memory <= 1 << 20);
    }
    wire.finish();
    assert_eq!(wire.exchanges().len(), 200);
    assert_eq!(wire.correlator.memory, 0);
}

#[test]
fn a_flow_that_was_given_up_is_read_on() {
    let mut wire = Wire::open();
    wire.client(get("a")).server(ok("a", ""));
    wire.client("GET / HTTP/1.1\r\nx-id: b\r\n");
    wire.correlator.limits.memory_bytes = 0;
    wire.client("x-more: yes\r\n");
    wire.correlator.limits.memory_bytes = 1 << 20;
    wire.client("\r\n").server(ok("b", ""));
    wire.client(get("c")).server(ok("c", ""));
    assert_eq!(wire.pairs(), ["a/a", "b/-", "-/b", "c/c"]);
    let cut = wire.exchanges()[1].request.as_ref().expect("b was asked");
    assert!(cut.oddities.truncated);
    assert_eq!(cut.fields.len(), 2, "both lines were whole");
}

#[test]
fn endless_interim_responses_are_not_all_kept() {
    let mut wire = Wire::open();
    wire.client(get("a"));
    for _ in 0..1000 {
        wire.server("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    }
    wire.server(ok("a", ""));
    assert_eq!(wire.pairs(), ["a/a"]);
    assert_eq!(wire.exchanges()[0].interim.len(), 16);
    assert_eq!(wire.correlator.memory, 0);
}
