//! Random conversations in random segments: exact where nothing is lost, never wrong where
//! something is.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::{ACK, FIN, SYN, Wire, ids};
use crate::correlate::Found;
use crate::exchange::Exchange;
use crate::flow::Verdict;
use crate::stats::Unit;

/// How a message says where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Length,
    Chunked,
}

#[derive(Debug, Clone)]
struct Turn {
    method: &'static str,
    request: Framing,
    request_body: usize,
    status: u16,
    response: Framing,
    response_body: usize,
    interim: usize,
}

fn turn() -> impl Strategy<Value = Turn> {
    let method = prop_oneof![
        5 => Just("GET"), 2 => Just("POST"), 1 => Just("HEAD"), 1 => Just("PUT")
    ];
    let status = prop_oneof![6 => Just(200_u16), 1 => Just(304), 1 => Just(204), 1 => Just(500)];
    let framing = || prop_oneof![Just(Framing::Length), Just(Framing::Chunked)];
    let size = || prop_oneof![3 => 0..300_usize, 1 => 0..9000_usize];
    (method, framing(), size(), status, framing(), size(), 0..3_usize).prop_map(
        |(method, request, request_body, status, response, response_body, interim)| Turn {
            method,
            request: if method == "GET" { Framing::None } else { request },
            request_body: if method == "GET" { 0 } else { request_body },
            status,
            response,
            response_body,
            interim: interim.saturating_sub(1),
        },
    )
}

fn framed(head: &str, framing: Framing, body: usize, has_body: bool) -> Vec<u8> {
    let content = "b".repeat(body);
    let text = match framing {
        Framing::None => format!("{head}\r\n"),
        Framing::Length if has_body => format!("{head}content-length: {body}\r\n\r\n{content}"),
        Framing::Length => format!("{head}content-length: {body}\r\n\r\n"),
        Framing::Chunked if !has_body => format!("{head}transfer-encoding: chunked\r\n\r\n"),
        Framing::Chunked => {
            let chunks = content.as_bytes().chunks(1000).map(|chunk| {
                format!("{:x}\r\n{}\r\n", chunk.len(), String::from_utf8_lossy(chunk))
            });
            let chunks: String = chunks.collect();
            format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}0\r\nx-end: yes\r\n\r\n")
        }
    };
    text.into_bytes()
}

impl Turn {
    fn request(&self, id: usize) -> Vec<u8> {
        let head = format!("{} /{id} HTTP/1.1\r\nhost: a\r\nx-id: {id}\r\n", self.method);
        framed(&head, self.request, self.request_body, true)
    }

    fn response(&self, id: usize) -> Vec<u8> {
        let mut bytes = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(self.interim).into_bytes();
        let head = format!("HTTP/1.1 {} X\r\nx-id: {id}\r\n", self.status);
        bytes.extend(framed(&head, self.response, self.response_body, self.has_body()));
        bytes
    }

    fn has_body(&self) -> bool {
        self.method != "HEAD" && ![204, 304].contains(&self.status)
    }
}

/// One record as it would be in the ring.
#[derive(Debug)]
struct Record {
    from_client: bool,
    flags: u8,
    seq: u32,
    ack: u32,
    payload: Vec<u8>,
}

/// Requests go in bursts: whoever pipelines waits for all answers before it goes on.
fn records(bursts: &[Vec<Turn>], cuts: &[usize]) -> Vec<Record> {
    let mut wire = Wire::new();
    let mut records = Vec::new();
    let mut cuts = cuts.iter().cycle();
    let mut write = |from_client: bool, flags: u8, bytes: &[u8]| {
        let mut rest = bytes;
        loop {
            let cut = (*cuts.next().expect("it cycles")).min(rest.len());
            let (now, later) = rest.split_at(cut);
            let (seq, ack) = wire.sent(from_client, flags, now.len());
            records.push(Record { from_client, flags, seq, ack, payload: now.to_vec() });
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
    };
    write(true, SYN, b"");
    write(false, SYN | ACK, b"");
    let mut id = 0;
    for burst in bursts {
        let numbered: Vec<(usize, &Turn)> = (id..).zip(burst).collect();
        id += burst.len();
        let requests: Vec<u8> = numbered.iter().flat_map(|(id, turn)| turn.request(*id)).collect();
        write(true, ACK, &requests);
        let together = burst.len() % 2 == 0;
        let responses = numbered.iter().map(|(id, turn)| turn.response(*id));
        if together {
            write(false, ACK, &responses.flatten().collect::<Vec<u8>>());
        } else {
            responses.for_each(|response| write(false, ACK, &response));
        }
    }
    write(true, FIN | ACK, b"");
    write(false, FIN | ACK, b"");
    records
}

/// What the kernel side keeps of a direction: it copies nothing before `skip_until`.
#[derive(Default)]
struct Kernel {
    skip_until: [Option<u32>; 2],
}

impl Kernel {
    /// What is left of a record.
    fn pass<'a>(&mut self, record: &'a Record) -> Option<(u32, &'a [u8])> {
        let until = &mut self.skip_until[usize::from(record.from_client)];
        let Some(mark) = *until else { return Some((record.seq, &record.payload)) };
        let behind = mark.wrapping_sub(record.seq).cast_signed();
        let Ok(skip) = usize::try_from(behind) else { return Some((record.seq, &record.payload)) };
        if skip >= record.payload.len() {
            return (record.flags & (FIN | SYN) != 0).then_some((record.seq, &[]));
        }
        *until = None;
        Some((mark, &record.payload[skip..]))
    }

    fn take(&mut self, found: &[Found]) {
        for found in found {
            if let Found::Verdict(cell, Verdict::SkipUntil(seq)) = found {
                self.skip_until[usize::try_from(cell.index).expect("0 or 1")] = Some(*seq);
            }
        }
    }
}

fn run(records: &[Record], lost: &[bool], skips: bool) -> Wire {
    let (mut wire, mut kernel) = (Wire::new(), Kernel::default());
    for (record, lost) in records.iter().zip(lost.iter().cycle()) {
        let Some((seq, payload)) = kernel.pass(record) else { continue };
        if *lost {
            continue;
        }
        let before = wire.found.len();
        wire.deliver(record.from_client, record.flags, seq, record.ack, payload);
        if skips {
            kernel.take(&wire.found[before..]);
        }
    }
    wire.at(3 * super::SECOND_NS).expire();
    wire.finish();
    wire
}

fn bursts() -> impl Strategy<Value = Vec<Vec<Turn>>> {
    let burst = prop_oneof![
        4 => prop::collection::vec(turn(), 1), 1 => prop::collection::vec(turn(), 2..5)
    ];
    let one_by_one = prop::collection::vec(prop::collection::vec(turn(), 1), 1..12);
    prop_oneof![prop::collection::vec(burst, 1..8), one_by_one]
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    let cut = prop_oneof![1 => 1..40_usize, 3 => 100..1500_usize, 2 => 60_000..60_001_usize];
    prop::collection::vec(cut, 1..20)
}

fn is_exact(exchange: &Exchange, id: usize, turn: &Turn) -> Result<(), String> {
    let expected = Some(id.to_string());
    let body = if turn.has_body() { turn.response_body } else { 0 };
    let sizes = [&exchange.request_end, &exchange.response_end]
        .map(|end| end.as_ref().and_then(|end| usize::try_from(end.body_size?).ok()));
    let facts = [
        ("ids", ids(exchange) == (expected.clone(), expected)),
        ("failure", exchange.failure.is_none()),
        ("index", usize::try_from(exchange.index) == Ok(id)),
        ("status", exchange.response.as_ref().map(|r| r.status) == Some(turn.status)),
        ("interim", exchange.interim.len() == turn.interim),
        ("sizes", sizes == [Some(turn.request_body), Some(body)]),
        ("start", !exchange.truncated_start),
    ];
    match facts.iter().find(|(_, holds)| !holds) {
        Some((fact, _)) => Err(format!("{fact} of {id}: {exchange:?}")),
        None => Ok(()),
    }
}

proptest! {
    #[test]
    fn where_nothing_is_lost_every_exchange_comes_out_exactly(
        bursts in bursts(),
        cuts in cuts(),
        skips in any::<bool>(),
    ) {
        let wire = run(&records(&bursts, &cuts), &[false], skips);
        let (exchanges, turns) = (wire.exchanges(), bursts.concat());
        prop_assert_eq!(exchanges.len(), turns.len());
        for (id, (exchange, turn)) in exchanges.iter().zip(&turns).enumerate() {
            prop_assert_eq!(is_exact(exchange, id, turn), Ok(()));
        }
        prop_assert_eq!(wire.correlator.memory, 0);
    }

    #[test]
    fn where_records_are_lost_no_pair_is_wrong_and_the_account_closes(
        bursts in bursts(),
        cuts in cuts(),
        lost in prop::collection::vec(prop::bool::weighted(0.15), 1..60),
        skips in any::<bool>(),
    ) {
        let wire = run(&records(&bursts, &cuts), &lost, skips);
        for exchange in wire.exchanges() {
            if let (Some(request), Some(response)) = ids(exchange) {
                prop_assert_eq!(request, response);
            }
        }
        let turns = bursts.concat().len();
        let seen = usize::try_from(wire.account.row(Unit::Http).seen()).expect("few");
        prop_assert!(seen <= 2 * turns, "{} of {} turns", seen, turns);
        prop_assert_eq!(wire.correlator.memory, 0);
    }
}
