//! The stages in user space by themselves: records of the ring in, encoded OTLP out.
//!
//! The records are real: the BPF program made them of requests and answers on many connections.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use e2e::packets::{Packet, SYN};
use e2e::programs::{Programs, RING_BYTES};
use headertap::config::Config;
use headertap::correlate::{Correlator, Found};
use headertap::event::{self, Event};
use headertap::export::Encoder;
use headertap::flow::Timestamp;
use headertap::host::Host;
use headertap::policy::Policy;
use headertap::stats::Account;

use super::Row;

const CONNECTIONS: u16 = 64;
const REQUESTS: u32 = 100;
const TURNS: usize = 21;
const MAX_US: f64 = 2.0;
const REQUEST: &[u8] = b"GET /items/17?page=2 HTTP/1.1\r\nHost: shop.example:8080\r\n\
User-Agent: wrk/4.2\r\nAccept: */*\r\nX-Request-Id: 8a1f3c\r\n\
traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n\
Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\
Connection: keep-alive\r\n\r\nhello\n";

/// Every connection asks in turn.
fn records() -> Result<Vec<Vec<u8>>> {
    let programs = Programs::load(RING_BYTES)?;
    let send = |packet: &Packet| programs.run("tc_egress", &packet.frame(), 0);
    let mut requests = Vec::new();
    for port in 0..CONNECTIONS {
        let mut request = Packet::new("10.0.0.1:1", "10.0.0.2:80", REQUEST);
        request.source.set_port(30_000 + port);
        let seq = request.seq - 1;
        send(&Packet { flags: SYN, seq, payload: Vec::new(), ..request.clone() })?;
        requests.push(request);
    }
    let mut records = programs.records()?;
    for _ in 0..REQUESTS {
        for request in &mut requests {
            let answer = request.answer(ANSWER);
            send(request)?;
            send(&answer)?;
            *request = answer.answer(REQUEST);
        }
        records.extend(programs.records()?);
    }
    Ok(records)
}

/// One pass of everything; gives the number of exchanges.
fn pass(records: &[Vec<u8>], policy: &Policy, encoder: &mut Encoder) -> Result<u32> {
    let mut correlator = Correlator::new([7; 16], 1, Arc::new(Account::default()));
    let (mut found, mut exchanges) = (Vec::new(), 0);
    for record in records {
        if let Event::Segment(segment) = event::decode(record, 0)? {
            correlator.segment(&segment, Timestamp(1), &mut found);
        }
        for found in found.drain(..) {
            if let Found::Exchange(exchange) = found
                && let Some(exchange) = policy.apply(*exchange)
            {
                exchanges += 1;
                encoder.exchange(&exchange, |record| {
                    black_box(record);
                });
            }
        }
    }
    Ok(exchanges)
}

pub(crate) fn rows() -> Result<Vec<Row>> {
    let records = records()?;
    let policy = Policy::from_config(&Config::default().policy)?;
    let mut encoder = Encoder::new(&Host::read());
    let expected = u32::from(CONNECTIONS) * REQUESTS;
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        let since = Instant::now();
        let exchanges = pass(&records, &policy, &mut encoder)?;
        turns.push(since.elapsed().as_secs_f64() * 1e6 / f64::from(expected));
        ensure!(exchanges == expected, "{exchanges} exchanges of {expected}");
    }
    turns.sort_by(f64::total_cmp);
    let us = turns[TURNS / 2];
    let measured = format!("{us:.2} us a request, {expected} requests");
    Ok(vec![Row::new("7 record to encoded bytes, one thread", "<= 2 us", measured, us <= MAX_US)])
}
