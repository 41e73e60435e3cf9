//! Single turns of conversations: what is paired with what, and when it is given.

use super::{ACK, Correlator, FIN, RST, SECOND_NS, SYN, Wire, get, ok};
use crate::exchange::Failure;
use crate::flow::Verdict;
use crate::http::Oddities;
use crate::stats::Unit;

#[test]
fn an_answer_to_head_has_no_body() {
    let mut wire = Wire::open();
    wire.client("HEAD / HTTP/1.1\r\nx-id: a\r\n\r\n");
    wire.server("HTTP/1.1 200 OK\r\nx-id: a\r\ncontent-length: 1000\r\n\r\n");
    assert_eq!(wire.pairs(), ["a/a"], "it is over with its head");
    wire.client(get("b")).server(ok("b", "x"));
    assert_eq!(wire.pairs(), ["a/a", "b/b"]);
}

#[test]
fn an_upgrade_ends_the_exchange_and_the_copying_at_once() {
    let mut wire = Wire::open();
    wire.client("GET /ws HTTP/1.1\r\nx-id: a\r\nupgrade: websocket\r\n\r\n");
    wire.server("HTTP/1.1 101 Switching Protocols\r\nx-id: a\r\n\r\n");
    assert_eq!(wire.pairs(), ["a/a"]);
    assert!(wire.verdicts().contains(&Verdict::Done));
    wire.client("GET / HTTP/1.1\r\nx-id: frame\r\n\r\n");
    wire.finish();
    assert_eq!(wire.pairs(), ["a/a"]);
}

#[test]
fn an_early_answer_is_given_before_its_request_ends_and_the_next_pair_is_right() {
    let mut wire = Wire::open();
    wire.client("POST / HTTP/1.1\r\nx-id: a\r\ncontent-length: 10\r\n\r\n12345");
    wire.server(ok("a", "no"));
    assert_eq!(wire.pairs(), ["a/a"]);
    wire.client("67890").client(get("b")).server(ok("b", ""));
    assert_eq!(wire.pairs(), ["a/a", "b/b"]);
}

#[test]
fn an_expected_continue_is_an_interim_response() {
    let mut wire = Wire::open();
    wire.client("PUT / HTTP/1.1\r\nx-id: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    wire.server("HTTP/1.1 100 Continue\r\n\r\n").client("ab").server(ok("a", ""));
    let exchanges = wire.exchanges();
    assert_eq!(wire.pairs(), ["a/a"]);
    assert_eq!(exchanges[0].interim.len(), 1);
    assert_eq!(exchanges[0].request_end.as_ref().and_then(|end| end.body_size), Some(2));
}

#[test]
fn a_response_that_comes_before_its_request_is_whole_is_not_the_next_ones() {
    let mut wire = Wire::open();
    wire.client("GET / HTTP/1.1\r\nx-id: a\r\n").server(ok("a", ""));
    wire.client("\r\n").client(get("b")).server(ok("b", ""));
    assert!(!wire.pairs().contains(&"a/b".to_owned()), "{:?}", wire.pairs());
}

#[test]
fn a_lost_request_shifts_no_pair() {
    let mut wire = Wire::open();
    wire.client(get("a")).server(ok("a", "1"));
    wire.lose(true, get("b")).server(ok("b", "2"));
    wire.client(get("c")).server(ok("c", "3"));
    assert_eq!(wire.pairs(), ["a/a", "-/b", "c/c"]);
}

#[test]
fn a_lost_response_shifts_no_pair() {
    let mut wire = Wire::open();
    wire.client(get("a")).lose(false, ok("a", "1"));
    wire.client(get("b")).server(ok("b", "2"));
    assert_eq!(wire.pairs(), ["a/-", "b/b"]);
    assert_eq!(wire.exchanges()[0].failure, Some(Failure::Gap));
}

#[test]
fn a_lost_exchange_is_followed_by_halves_and_then_by_pairs() {
    let mut wire = Wire::open();
    wire.client(get("a")).server(ok("a", "1"));
    wire.lose(true, get("b")).lose(false, ok("b", "2"));
    for id in ["c", "d", "e"] {
        wire.client(get(id)).server(ok(id, "3"));
    }
    wire.finish();
    assert_eq!(wire.pairs(), ["a/a", "c/-", "-/c", "d/d", "e/e"]);
}

#[test]
fn the_first_of_two_pipelined_requests_is_lost_and_the_second_gets_no_answer() {
    let mut wire = Wire::open();
    wire.lose(true, get("a")).client(get("b"));
    wire.server(ok("a", "1")).server(ok("b", "2"));
    assert_eq!(wire.pairs(), ["b/-", "-/a", "-/b"]);
    wire.client(get("c")).server(ok("c", "3"));
    assert_eq!(wire.pairs().last().map(String::as_str), Some("c/c"));
}

#[test]
fn a_request_lost_behind_one_that_waits_is_noticed() {
    let mut wire = Wire::open();
    wire.client(get("a")).lose(true, get("b")).client(get("c"));
    for id in ["a", "b", "c"] {
        wire.server(ok(id, "1"));
    }
    wire.finish();
    let pairs = wire.pairs();
    assert!(pairs.iter().all(|pair| pair == "a/a" || pair.contains('-')), "{pairs:?}");
}

#[test]
fn a_request_that_waited_behind_a_hole_is_not_answered_by_what_came_after_its_lost_answer() {
    let mut wire = Wire::open();
    wire.client("POST / HTTP/1.1\r\nx-id: a\r\ncontent-length: 4\r\n\r\nab").lose(true, "cd");
    wire.client(get("b")).lose(false, ok("a", "")).lose(false, ok("b", ""));
    let c = get("c");
    wire.lose(true, &c.as_bytes()[..20]).client(&c.as_bytes()[20..]).server(ok("c", ""));
    assert_eq!(wire.pairs(), ["a/-", "b/-", "-/c"]);
    wire.client(get("d")).server(ok("d", ""));
    assert_eq!(wire.pairs().last().map(String::as_str), Some("d/d"));
}

#[test]
fn an_answer_to_a_lost_head_swallows_nothing() {
    let mut wire = Wire::open();
    wire.lose(true, "HEAD / HTTP/1.1\r\n\r\n");
    wire.server("HTTP/1.1 200 OK\r\nx-id: a\r\ncontent-length: 1000\r\n\r\n");
    wire.client(get("b")).server(ok("b", "x")).client(get("c")).server(ok("c", "x"));
    assert_eq!(wire.pairs(), ["-/a", "b/b", "c/c"]);
}

#[test]
fn more_requests_than_may_wait_end_the_pairing_and_shift_nothing() {
    let mut wire = Wire::open();
    for number in 0..1100 {
        wire.client(get(&number.to_string()));
    }
    for number in 0..1100 {
        wire.server(ok(&number.to_string(), ""));
    }
    wire.finish();
    assert_eq!(wire.exchanges().len(), 2200);
    assert!(wire.pairs().iter().all(|pair| pair.starts_with("-/") || pair.ends_with("/-")));
}

#[test]
fn a_chunked_response_whose_end_is_lost_comes_out_with_the_next_request() {
    let mut wire = Wire::open();
    wire.client(get("a"));
    wire.server("HTTP/1.1 200 OK\r\nx-id: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n");
    wire.lose(false, "4\r\nabcd\r\n0\r\n\r\n");
    assert!(wire.pairs().is_empty());
    wire.client(get("b")).server(ok("b", ""));
    assert_eq!(wire.pairs(), ["a/a", "b/b"]);
    assert_eq!(wire.exchanges()[0].failure, Some(Failure::Gap));
    assert_eq!(wire.exchanges()[0].response_end, None);
}

#[test]
fn a_body_of_known_length_is_skipped_to_its_last_byte() {
    let mut wire = Wire::open();
    wire.client(get("a"));
    let head = "HTTP/1.1 200 OK\r\nx-id: a\r\ncontent-length: 100000\r\n\r\n";
    wire.verdicts();
    let last = wire.server_seq.wrapping_add(u32::try_from(head.len()).expect("small") + 99_999);
    wire.server(head);
    assert_eq!(wire.verdicts(), [Verdict::SkipUntil(last)]);
    wire.lose(false, "x".repeat(99_999)).server("x");
    let exchanges = wire.exchanges();
    let end = exchanges[0].response_end.as_ref().expect("its last byte was seen");
    assert_eq!((end.body_size, exchanges[0].failure), (Some(100_000), None));
}

#[test]
fn a_long_chunked_response_keeps_the_window_open() {
    let mut wire = Wire::open();
    wire.client(get("a"));
    wire.server("HTTP/1.1 200 OK\r\nx-id: a\r\ntransfer-encoding: chunked\r\n\r\n");
    wire.verdicts();
    for _ in 0..20 {
        wire.server(format!("3e8\r\n{}\r\n", "x".repeat(1000)));
    }
    assert!(matches!(wire.verdicts().as_slice(), [Verdict::CopyUntil(_)]));
}

#[test]
fn a_typical_exchange_changes_no_verdict() {
    let mut wire = Wire::open();
    for _ in 0..100 {
        wire.client(get("a")).server(ok("a", &"x".repeat(500)));
    }
    // The windows move on as requests do, and with nothing else.
    assert!(wire.verdicts().len() <= 2);
}

#[test]
fn a_request_without_an_answer_is_given_after_five_minutes_and_its_answer_on_its_own() {
    let mut wire = Wire::open();
    wire.client(get("a")).at(299 * SECOND_NS).expire();
    assert!(wire.pairs().is_empty());
    wire.at(2 * SECOND_NS).expire();
    assert_eq!(wire.pairs(), ["a/-"]);
    assert_eq!(wire.exchanges()[0].failure, Some(Failure::Unfinished));
    wire.server(ok("a", "")).client(get("b")).server(ok("b", ""));
    assert_eq!(wire.pairs(), ["a/-", "-/a", "b/b"]);
}

#[test]
fn a_response_that_lasts_is_given_after_five_minutes_and_once() {
    let mut wire = Wire::open();
    wire.socket(true, crate::event::SocketChange::Open, 5, super::CLIENT_COOKIE);
    wire.client(get("a"));
    wire.server("HTTP/1.1 200 OK\r\nx-id: a\r\ntransfer-encoding: chunked\r\n\r\n");
    for _ in 0..301 {
        wire.server("1\r\na\r\n").at(SECOND_NS).expire();
    }
    assert_eq!(wire.pairs(), ["a/a"]);
    wire.server("0\r\n\r\n").client(get("b")).server(ok("b", ""));
    assert_eq!(wire.pairs(), ["a/a", "b/b"]);
}

#[test]
fn a_reset_fails_what_is_open() {
    let mut wire = Wire::open();
    wire.client(get("a"));
    wire.send(false, RST | ACK, b"");
    assert_eq!(wire.pairs(), ["a/-"]);
    assert_eq!(wire.exchanges()[0].failure, Some(Failure::ConnectionReset));
}

#[test]
fn a_close_ends_a_response_without_length() {
    let mut wire = Wire::open();
    wire.client(get("a")).server("HTTP/1.1 200 OK\r\nx-id: a\r\n\r\nbody");
    wire.send(false, FIN | ACK, b"");
    let exchanges = wire.exchanges();
    assert_eq!(exchanges[0].failure, None);
    assert_eq!(exchanges[0].response_end.as_ref().and_then(|end| end.body_size), Some(4));
}

#[test]
fn ports_that_are_used_again_are_a_new_connection() {
    let mut wire = Wire::open();
    wire.client(get("a"));
    wire.client_seq = 5_000;
    wire.server_seq = 9_000;
    wire.handshake();
    wire.client(get("b")).server(ok("b", ""));
    assert_eq!(wire.pairs(), ["a/-", "b/b"]);
}

#[test]
fn a_new_connection_is_known_by_its_answer_where_its_syn_was_lost() {
    let mut wire = Wire::open();
    wire.client(get("a")).server(ok("a", ""));
    wire.client_seq = 5_000;
    wire.server_seq = 9_000;
    wire.sent(true, SYN, 0);
    wire.send(false, SYN | ACK, b"");
    wire.client(get("b")).server(ok("b", ""));
    assert_eq!(wire.pairs(), ["a/a", "b/b"]);
    assert!(!wire.exchanges()[1].truncated_start);
}

#[test]
fn a_simultaneous_open_is_read_by_what_is_said() {
    let mut wire = Wire::new();
    wire.deliver(true, SYN, 100, 0, b"");
    wire.deliver(false, SYN, 200, 0, b"");
    wire.deliver(true, SYN | ACK, 100, 201, b"");
    wire.deliver(false, SYN | ACK, 200, 101, b"");
    // The one that called first happens to be the one that answers.
    wire.deliver(false, ACK, 201, 101, get("a").as_bytes());
    let len = u32::try_from(get("a").len()).expect("small");
    wire.deliver(true, ACK, 101, 201 + len, ok("a", "").as_bytes());
    assert_eq!(wire.pairs(), ["a/a"]);
    assert_eq!(wire.exchanges()[0].server, wire.client);
}

#[test]
fn a_connection_whose_first_segment_is_lost_is_picked_up_at_the_next_message() {
    let mut wire = Wire::open();
    wire.lose(true, get("a")).server(ok("a", ""));
    wire.client(get("b")).server(ok("b", ""));
    assert_eq!(wire.pairs().last().map(String::as_str), Some("b/b"));
}

#[test]
fn what_is_no_http_is_left_alone() {
    let mut wire = Wire::open();
    wire.server("220 mail.example ESMTP\r\n");
    for _ in 0..9 {
        assert!(wire.verdicts().is_empty());
        wire.client("NOOP\r\n");
    }
    assert_eq!(wire.verdicts(), [Verdict::Done, Verdict::Done]);
    wire.client(get("a"));
    wire.finish();
    assert!(wire.pairs().is_empty());
}

#[test]
fn what_follows_a_proxys_handshake_is_read() {
    let mut wire = Wire::open();
    wire.client("\x05\x01\x00").server("\x05\x00");
    wire.client("\x05\x01\x00\x01\x0a\x00\x00\x02\x00\x50");
    wire.server("\x05\x00\x00\x01\x0a\x00\x00\x02\x00\x50");
    wire.client(get("a")).server(ok("a", "x"));
    assert_eq!(wire.pairs(), ["a/a"]);
}

#[test]
fn an_interim_response_whose_request_is_lost_is_given_with_the_final_one_or_alone() {
    let mut wire = Wire::open();
    wire.client(get("a")).server(ok("a", "x"));
    wire.lose(true, get("b")).server("HTTP/1.1 103 Early Hints\r\n\r\n").server(ok("b", "x"));
    wire.lose(true, get("c")).server("HTTP/1.1 103 Early Hints\r\n\r\n");
    wire.finish();
    let told: Vec<_> = wire
        .exchanges()
        .iter()
        .map(|exchange| (exchange.interim.len(), exchange.response.is_some()))
        .collect();
    assert_eq!(told, [(0, true), (1, true), (1, false)]);
}

/// What there is of it is of use: a client that sends one line a minute, or what it was cut by.
#[test]
fn of_a_head_that_never_ends_the_whole_lines_are_given() {
    let cut = |from: Option<&Oddities>| from.map(|oddities| oddities.truncated);
    let mut wire = Wire::open();
    wire.client("GET / HTTP/1.1\r\nx-id: a\r\nx-more: ye").send(true, RST, b"");
    assert_eq!(wire.pairs(), ["a/-"]);
    let request = wire.exchanges()[0].request.as_ref().map(|request| &request.oddities);
    assert_eq!(cut(request), Some(true));

    let mut wire = Wire::open();
    wire.client("GET /of/this HTT").send(true, RST, b"");
    let request = wire.exchanges()[0].request.as_ref().expect("its target is whole");
    assert_eq!((&request.target[..], request.version.as_str()), (b"/of/this".as_slice(), ""));

    let mut wire = Wire::open();
    wire.client(get("b")).server("HTTP/1.1 200 OK\r\nx-id: b\r\nx-fold: a\r\n b");
    wire.send(false, FIN, b"");
    assert_eq!(wire.pairs(), ["b/b"]);
    let response = wire.exchanges()[0].response.as_ref().expect("it was begun");
    assert_eq!(cut(Some(&response.oddities)), Some(true));
    assert_eq!(response.fields.len(), 1, "the value of the folded line is not whole");
}

/// A server answers garbage, and what answers it is not lost (RFC 9112 section 3).
#[test]
fn an_answer_to_a_malformed_request_is_given() {
    let mut wire = Wire::open();
    wire.client(get("a")).server(ok("a", "x"));
    wire.client("T / HTTP\n\n").server("HTTP/1.1 400 Bad Request\r\nx-id: b\r\n\r\n");
    wire.finish();
    assert_eq!(wire.pairs(), ["a/a", "-/b"]);
    assert_eq!(wire.account.row(Unit::Http).lost(), 1);
}

/// Several queues may have written a file.
#[test]
fn in_a_file_an_answer_may_stand_before_the_end_of_its_request() {
    for (is_file, expected) in [(true, ["a/a"]), (false, ["-/a"])] {
        let mut wire = Wire::new();
        if is_file {
            wire.correlator = Correlator::new([7; 16], 1, wire.account.clone()).of_files();
        }
        wire.handshake();
        let request = get("a");
        let (begin, end) = request.as_bytes().split_at(5);
        wire.client(begin);
        let (seq, ack) = wire.sent(true, ACK, end.len());
        wire.server(ok("a", "x"));
        wire.deliver(true, ACK, seq, ack, end);
        wire.finish();
        assert_eq!(wire.pairs(), expected, "a file: {is_file}");
    }
}

/// What runs in a tunnel is a connection of its own, by the same rules (RFC 9110 section 9.3.6).
#[test]
fn what_is_asked_in_a_tunnel_is_read_and_counted_on() {
    let mut wire = Wire::open();
    wire.client("CONNECT inner:80 HTTP/1.1\r\nx-id: outer\r\n\r\n");
    wire.server("HTTP/1.1 200 Connection established\r\nx-id: outer\r\n\r\n");
    wire.client(get("inner")).server(ok("inner", "x"));
    assert_eq!(wire.pairs(), ["outer/outer", "inner/inner"]);
    let indices: Vec<_> = wire.exchanges().iter().map(|exchange| exchange.index).collect();
    assert_eq!(indices, [0, 1]);
}
