//! HTTP/2: what is one exchange, when it is given, and what a loss leaves of it.

mod model;

use super::{ACK, FIN, RST, SECOND_NS, Wire};
use crate::exchange::{Exchange, Failure};
use crate::flow::Verdict;
use crate::http::{ErrorCode, Version};
use crate::parse::http2::PREFACE;
use crate::parse::http2::samples::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PUSH_PROMISE, RST_STREAM, SETTINGS, frame,
};

const CANCEL: ErrorCode = ErrorCode(8);

/// A connection on which both have said how they begin.
fn open() -> Wire {
    let mut wire = Wire::open();
    wire.client([PREFACE, &frame(SETTINGS, 0, 0, b"")].concat());
    wire.server(frame(SETTINGS, 0, 0, b""));
    wire
}

/// A connection that is joined.
fn join() -> Wire {
    Wire::new()
}

fn field(name: &str, value: &str) -> Vec<u8> {
    let octet = |text: &str| u8::try_from(text.len()).expect("it is short");
    [&[0, octet(name)], name.as_bytes(), &[octet(value)], value.as_bytes()].concat()
}

fn block(flags: u8, stream: u32, fields: &[&[u8]]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, stream, &fields.concat())
}

/// A POST whose `x-id` is `id`.
fn ask(flags: u8, stream: u32, id: &str) -> Vec<u8> {
    block(flags, stream, &[b"\x83\x86\x84", &field("x-id", id)])
}

/// A response of status 200 whose `x-id` is `id`.
fn answer(flags: u8, stream: u32, id: &str) -> Vec<u8> {
    block(flags, stream, &[b"\x88", &field("x-id", id)])
}

fn data(flags: u8, stream: u32, content: &str) -> Vec<u8> {
    frame(DATA, flags, stream, content.as_bytes())
}

fn reset(stream: u32, code: ErrorCode) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.0.to_be_bytes())
}

/// An exchange as `STREAM REQUEST_SIZE/RESPONSE_SIZE FAILURE`; `-` where it is not known.
fn told(exchange: &&Exchange) -> String {
    let [request, response] = [&exchange.request_end, &exchange.response_end].map(|end| {
        let size = end.as_ref().map(|end| end.body_size);
        size.map_or("-".to_owned(), |size| size.map_or("?".to_owned(), |size| size.to_string()))
    });
    let stream = exchange.stream_id.expect("it is of HTTP/2");
    let failure = exchange.failure.map_or(String::new(), |failure| format!(" {failure:?}"));
    format!("{stream} {request}/{response}{failure}")
}

fn all_told(wire: &Wire) -> Vec<String> {
    wire.exchanges().iter().map(told).collect()
}

#[test]
fn streams_are_exchanges_whatever_their_order() {
    let mut wire = open();
    wire.client([ask(END_STREAM, 1, "a"), ask(0, 3, "b"), data(0, 3, "12345")].concat());
    wire.server([answer(0, 3, "b"), answer(0, 1, "a"), data(END_STREAM, 3, "no")].concat());
    assert_eq!(wire.pairs(), [""; 0], "the request of stream 3 goes on");
    wire.client(data(END_STREAM, 3, "67890")).server(data(END_STREAM, 1, "12"));
    assert_eq!(wire.pairs(), ["b/b", "a/a"]);
    assert_eq!(all_told(&wire), ["3 10/2", "1 0/2"]);
    let indices: Vec<u64> = wire.exchanges().iter().map(|exchange| exchange.index).collect();
    assert_eq!(indices, [1, 0]);
    let versions = wire.exchanges().iter().all(|exchange| {
        exchange.response.as_ref().is_some_and(|response| response.version == Version::Http2)
    });
    assert!(versions && wire.exchanges().iter().all(|exchange| !exchange.truncated_start));
}

#[test]
fn interim_responses_and_trailers_are_of_their_exchange() {
    let mut wire = open();
    wire.client(ask(0, 1, "a"));
    wire.server(block(0, 1, &[&field(":status", "100")]));
    wire.server(block(0, 1, &[&field(":status", "103"), &field("link", "x")]));
    wire.client([data(0, 1, "x"), block(END_STREAM, 1, &[&field("sum", "1")])].concat());
    wire.server([answer(0, 1, "a"), block(END_STREAM, 1, &[&field("grpc-status", "0")])].concat());
    let exchanges = wire.exchanges();
    let exchange = exchanges.first().expect("it is over");
    let interim: Vec<u16> = exchange.interim.iter().map(|response| response.status).collect();
    assert_eq!(interim, [100, 103]);
    let trailers = |end: &Option<crate::http::MessageEnd>, name: &str| {
        end.as_ref().and_then(|end| end.trailers.first(name).map(<[u8]>::to_vec))
    };
    assert_eq!(trailers(&exchange.request_end, "sum"), Some(b"1".to_vec()));
    assert_eq!(trailers(&exchange.response_end, "grpc-status"), Some(b"0".to_vec()));
    assert_eq!(all_told(&wire), ["1 1/0"]);
}

#[test]
fn a_response_without_content_may_be_its_head_alone() {
    let mut wire = open();
    wire.client(ask(END_STREAM, 1, "a")).server(answer(END_STREAM, 1, "a"));
    assert_eq!(all_told(&wire), ["1 0/0"]);
}

#[test]
fn a_reset_is_a_failure_unless_the_response_was_complete() {
    let mut wire = open();
    wire.client([ask(END_STREAM, 1, "a"), ask(0, 3, "b"), ask(END_STREAM, 5, "c")].concat());
    wire.server([answer(0, 1, "a"), answer(END_STREAM, 3, "b")].concat());
    wire.client([reset(1, CANCEL), reset(3, CANCEL)].concat());
    wire.server(reset(5, ErrorCode(7)));
    let cancelled = "1 0/- StreamReset(ErrorCode(8))";
    assert_eq!(all_told(&wire), [cancelled, "3 -/0", "5 0/- StreamReset(ErrorCode(7))"]);
    assert_eq!(wire.pairs(), ["a/a", "b/b", "c/-"]);
}

#[test]
fn who_goes_away_fails_the_streams_behind_its_last() {
    let mut wire = open();
    wire.client([ask(END_STREAM, 1, "a"), ask(END_STREAM, 3, "b")].concat());
    wire.server(frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 11]));
    assert_eq!(all_told(&wire), ["3 0/- GoAway(ErrorCode(11))"]);
    wire.server(answer(END_STREAM, 1, "a"));
    assert_eq!(wire.pairs(), ["b/-", "a/a"]);
}

#[test]
fn a_promised_request_is_answered_on_its_own_stream() {
    let mut wire = open();
    wire.client(ask(END_STREAM, 1, "a"));
    let promise = [&[0, 0, 0, 2][..], b"\x82\x86\x84", &field("x-id", "p")].concat();
    wire.server(frame(PUSH_PROMISE, END_HEADERS, 1, &promise));
    wire.server([answer(0, 2, "p"), answer(END_STREAM, 1, "a"), data(END_STREAM, 2, "x")].concat());
    assert_eq!(wire.pairs(), ["a/a", "p/p"]);
    assert_eq!(all_told(&wire), ["1 0/0", "2 0/1"]);
}

#[test]
fn a_response_that_is_seen_before_its_request_waits_for_it() {
    let mut wire = open();
    wire.server([answer(END_STREAM, 1, "a"), answer(END_STREAM, 2, "pushed")].concat());
    assert_eq!(wire.pairs(), ["-/pushed"], "what is pushed is never asked for");
    wire.client(ask(END_STREAM, 1, "a"));
    assert_eq!(wire.pairs(), ["-/pushed", "a/a"]);
}

#[test]
fn a_connection_that_ends_gives_what_is_open() {
    for (end, failure) in [(FIN, "ConnectionClosed"), (RST, "ConnectionReset")] {
        let mut wire = open();
        wire.client([ask(END_STREAM, 1, "a"), ask(0, 3, "b")].concat());
        wire.server([answer(0, 1, "a"), answer(END_STREAM, 3, "b")].concat());
        wire.send(false, end | ACK, b"");
        assert_eq!(all_told(&wire), [format!("1 0/- {failure}"), "3 -/0".to_owned()]);
    }
}

#[test]
fn an_upgrade_goes_on_as_http2_in_the_same_exchange() {
    let mut wire = Wire::open();
    wire.client("GET /a HTTP/1.1\r\nx-id: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n");
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
    wire.server([switch.as_bytes(), &frame(SETTINGS, 0, 0, b""), &answer(0, 1, "a")].concat());
    wire.client([PREFACE, &frame(SETTINGS, 0, 0, b""), &ask(END_STREAM, 3, "b")].concat());
    wire.server([data(END_STREAM, 1, "x"), answer(END_STREAM, 3, "b")].concat());
    assert_eq!(wire.pairs(), ["a/a", "b/b"]);
    assert_eq!(all_told(&wire), ["1 0/1", "3 0/0"]);
    let exchanges = wire.exchanges();
    let first = exchanges.first().expect("there are two");
    assert_eq!(first.request.as_ref().map(|request| request.version), Some(Version::Http11));
    assert_eq!(first.interim.first().map(|response| response.status), Some(101));
    assert_eq!(exchanges.iter().map(|exchange| exchange.index).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn an_upgrade_that_leads_nowhere_gives_its_exchange() {
    let mut wire = Wire::open();
    wire.client("GET /a HTTP/1.1\r\nx-id: a\r\nupgrade: h2c\r\n\r\n");
    wire.server("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n");
    wire.send(false, FIN | ACK, b"");
    assert_eq!(wire.pairs(), ["a/-"]);
    assert_eq!(wire.exchanges()[0].failure, Some(Failure::ConnectionClosed));
}

#[test]
fn a_server_of_another_protocol_is_a_failure() {
    let mut wire = open_client_only();
    wire.server("HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_eq!(all_told(&wire), ["1 0/- ProtocolError"]);
}

fn open_client_only() -> Wire {
    let mut wire = Wire::open();
    wire.client([PREFACE, &frame(SETTINGS, 0, 0, b""), &ask(END_STREAM, 1, "a")].concat());
    wire
}

#[test]
fn what_is_joined_late_is_read_from_its_first_head_on() {
    let mut wire = join();
    wire.client(data(END_STREAM, 7, "x")).server(data(0, 5, "x"));
    wire.server(answer(END_STREAM, 7, "early"));
    wire.client(ask(END_STREAM, 9, "a"));
    wire.server([data(END_STREAM, 5, "x"), answer(END_STREAM, 9, "a")].concat());
    assert_eq!(wire.pairs(), ["-/early", "a/a"]);
    assert!(wire.exchanges().iter().all(|exchange| exchange.truncated_start));
}

#[test]
fn trailers_of_an_exchange_that_was_not_seen_are_given() {
    let mut wire = join();
    wire.server(answer(END_STREAM, 3, "a"));
    wire.server(block(END_STREAM, 1, &[&field("grpc-status", "7")]));
    assert_eq!(all_told(&wire), ["3 -/0", "1 -/?"]);
    let exchanges = wire.exchanges();
    assert!(exchanges[1].response.is_none() && exchanges[1].failure.is_none());
}

#[test]
fn content_that_is_not_captured_changes_nothing() {
    let mut wire = open();
    wire.client(ask(END_STREAM, 1, "a"));
    let content = data(END_STREAM, 1, &"x".repeat(1000));
    wire.server([&answer(0, 1, "a"), &content[..10]].concat());
    wire.lose(false, &content[10..900]).server(&content[900..]);
    wire.client(ask(END_STREAM, 3, "b"));
    assert_eq!(all_told(&wire), ["1 0/1000"]);
}

#[test]
fn a_loss_makes_sizes_unknown_and_no_pair_wrong() {
    let mut wire = open();
    wire.client([ask(END_STREAM, 1, "a"), ask(END_STREAM, 3, "b")].concat());
    wire.server([answer(0, 1, "a"), data(0, 1, "x")].concat());
    wire.lose(false, data(0, 1, "lost"));
    wire.server([data(0, 1, "x"), answer(END_STREAM, 3, "b")].concat());
    wire.client(ask(END_STREAM, 5, "c"));
    wire.server([answer(END_STREAM, 5, "c"), data(END_STREAM, 1, "x")].concat());
    assert_eq!(wire.pairs(), ["b/b", "c/c", "a/a"]);
    assert_eq!(all_told(&wire), ["3 0/0", "5 0/0", "1 0/?"]);
}

#[test]
fn a_response_whose_end_may_be_lost_is_incomplete_for_that_reason() {
    let mut wire = open();
    wire.client(ask(END_STREAM, 1, "a")).server(answer(0, 1, "a"));
    wire.lose(false, data(END_STREAM, 1, "lost")).server(frame(SETTINGS, 1, 0, b""));
    wire.client(ask(END_STREAM, 3, "b"));
    wire.send(false, FIN | ACK, b"");
    assert_eq!(all_told(&wire), ["1 0/- Gap", "3 0/- ConnectionClosed"]);
}

#[test]
fn a_request_whose_end_may_be_lost_is_not_waited_for() {
    let mut wire = open();
    wire.client(ask(0, 1, "a")).lose(true, data(END_STREAM, 1, "lost"));
    wire.server(answer(END_STREAM, 1, "a"));
    assert_eq!(all_told(&wire), ["1 -/0"]);
    wire.client(ask(END_STREAM, 3, "b")).server(answer(END_STREAM, 3, "b"));
    assert_eq!(wire.pairs(), ["a/a", "b/b"]);
}

#[test]
fn a_block_that_is_not_hpack_is_counted_as_lost() {
    let mut wire = open();
    wire.client(frame(HEADERS, END_HEADERS, 1, b"\x80"));
    assert_eq!(wire.exchanges().len(), 0);
    assert_eq!(wire.account.row(crate::stats::Unit::Http).lost(), 1);
}

#[test]
fn what_lasts_too_long_is_given_and_its_rest_on_its_own() {
    let mut wire = open();
    wire.client(ask(END_STREAM, 1, "a")).server(answer(0, 1, "a"));
    wire.at(200 * SECOND_NS).server(frame(SETTINGS, 0, 0, b""));
    wire.at(101 * SECOND_NS).expire();
    assert_eq!(all_told(&wire), ["1 0/- Unfinished"]);
    wire.server(block(END_STREAM, 1, &[&field("grpc-status", "0")]));
    assert_eq!(all_told(&wire), ["1 0/- Unfinished", "1 -/?"]);
}

#[test]
fn more_streams_than_are_kept_give_the_oldest() {
    let mut wire = open();
    for stream in 0..1100 {
        wire.client(ask(0, 2 * stream + 1, "a"));
    }
    assert_eq!(wire.exchanges().len(), 1100 - 1024);
    wire.finish();
    assert_eq!(wire.exchanges().len(), 1100);
}

#[test]
fn content_need_not_be_copied() {
    let mut wire = open();
    wire.client(ask(END_STREAM, 1, "a"));
    wire.verdicts();
    let head = answer(0, 1, "a");
    let content = data(0, 1, &"x".repeat(10_000));
    wire.server([&head, &content[..1009]].concat());
    let next = wire.server_seq;
    assert_eq!(wire.verdicts(), [Verdict::Frames(next.wrapping_add(9000))]);
    wire.lose(false, &content[1009..]).server(data(END_STREAM, 1, "x"));
    let next = wire.server_seq;
    assert_eq!(wire.verdicts(), [Verdict::Frames(next)], "the next frame begins");
    assert_eq!(all_told(&wire), ["1 0/10001"]);
}
