//! The stage from events to exchanges, on connections that are made up here.

mod bounds;
mod conversations;
mod lookups;
mod sockets;
mod streams;
mod turns;

use std::sync::Arc;

use super::{Correlator, Found};
use crate::connection::Totals;
use crate::event::{Owner, Segment, SocketChange, SocketEvent, SocketRole, TcpFlags};
use crate::exchange::Exchange;
use crate::flow::{Cell, Endpoint, Timestamp, Tuple, Verdict};
use crate::process::Process;
use crate::stats::{Account, Unit};

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const CLIENT_COOKIE: u64 = 11;
const SERVER_COOKIE: u64 = 22;
const START_NS: u64 = 1_750_000_000_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;

fn endpoint(last: u8, port: u16) -> Endpoint {
    let mut address = [0; 16];
    address[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, last]);
    Endpoint { address, port }
}

fn process(pid: u32) -> Arc<Process> {
    let service_instance_id = format!("instance of {pid}");
    Arc::new(Process { pid, service_instance_id, ..Process::default() })
}

fn fields_id(exchange_side: Option<&crate::fields::Fields>) -> Option<String> {
    let value = exchange_side?.first("x-id")?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// The `x-id` of an exchange's request and response, where they are there.
fn ids(exchange: &Exchange) -> (Option<String>, Option<String>) {
    (
        fields_id(exchange.request.as_ref().map(|request| &request.fields)),
        fields_id(exchange.response.as_ref().map(|response| &response.fields)),
    )
}

/// One TCP connection as both hosts would make it, given to a correlator record by record.
struct Wire {
    correlator: Correlator,
    account: Arc<Account>,
    found: Vec<Found>,
    client: Endpoint,
    server: Endpoint,
    now: Timestamp,
    client_seq: u32,
    server_seq: u32,
}

impl Wire {
    fn new() -> Self {
        let account = Arc::new(Account::default());
        Self {
            correlator: Correlator::new([7; 16], 1, Arc::clone(&account)),
            account,
            found: Vec::new(),
            client: endpoint(1, 40_000),
            server: endpoint(2, 80),
            now: Timestamp(START_NS),
            client_seq: u32::MAX - 100,
            server_seq: u32::MAX - 50,
        }
    }

    /// With the handshake done.
    fn open() -> Self {
        let mut wire = Self::new();
        wire.handshake();
        wire
    }

    fn handshake(&mut self) {
        self.send(true, SYN, b"");
        self.send(false, SYN | ACK, b"");
    }

    fn at(&mut self, after_ns: u64) -> &mut Self {
        self.now = Timestamp(self.now.0 + after_ns);
        self
    }

    fn tuple(&self, from_client: bool) -> Tuple {
        let tuple = Tuple { source: self.client, destination: self.server };
        if from_client { tuple } else { tuple.reversed() }
    }

    /// Moves the sender on as if the segment had been sent, and gives where it began.
    fn sent(&mut self, from_client: bool, flags: u8, len: usize) -> (u32, u32) {
        let (own, other) = match from_client {
            true => (&mut self.client_seq, self.server_seq),
            false => (&mut self.server_seq, self.client_seq),
        };
        let seq = *own;
        let len = u32::try_from(len).expect("a test's segment is small");
        *own = seq.wrapping_add(len).wrapping_add(u32::from(flags & (SYN | FIN) != 0));
        (seq, other)
    }

    fn send(&mut self, from_client: bool, flags: u8, payload: &[u8]) {
        let (seq, ack) = self.sent(from_client, flags, payload.len());
        self.deliver(from_client, flags, seq, ack, payload);
    }

    fn deliver(&mut self, from_client: bool, flags: u8, seq: u32, ack: u32, payload: &[u8]) {
        let segment = Segment {
            at: self.now,
            tuple: self.tuple(from_client),
            socket_cookie: if from_client { CLIENT_COOKIE } else { SERVER_COOKIE },
            seq,
            ack,
            len: u32::try_from(payload.len()).expect("a test's segment is small"),
            flags: TcpFlags(flags),
            payload,
            cell: Cell { index: u32::from(from_client), tag: 9 },
        };
        self.now = Timestamp(self.now.0 + 1000);
        self.correlator.segment(&segment, self.now, &mut self.found);
    }

    fn client(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.send(true, ACK, bytes.as_ref());
        self
    }

    fn server(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.send(false, ACK, bytes.as_ref());
        self
    }

    /// Bytes that were sent, and never captured.
    fn lose(&mut self, from_client: bool, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.sent(from_client, ACK, bytes.as_ref().len());
        self
    }

    fn socket(&mut self, of_client: bool, change: SocketChange, pid: u32, cookie: u64) {
        let role = match change {
            SocketChange::Open if of_client => SocketRole::Client,
            SocketChange::Open => SocketRole::Server,
            _ => SocketRole::Unknown,
        };
        let event = SocketEvent {
            at: self.now,
            tuple: self.tuple(of_client),
            socket_cookie: cookie,
            change,
            owner: Owner { pid, comm: String::new() },
            role,
            old_state: 6,
            netns_inode: 1,
            totals: Totals::default(),
        };
        self.correlator.socket(&event, process(pid), self.now, &mut self.found);
    }

    fn expire(&mut self) {
        self.correlator.expire(self.now, &mut self.found);
    }

    fn finish(&mut self) {
        self.correlator.finish(self.now, &mut self.found);
    }

    /// The exchanges so far; an account that is not theirs is an error.
    fn exchanges(&self) -> Vec<&Exchange> {
        let exchanges: Vec<&Exchange> = self
            .found
            .iter()
            .filter_map(|found| match found {
                Found::Exchange(exchange) => Some(&**exchange),
                _ => None,
            })
            .collect();
        let row = self.account.row(Unit::Http);
        let given = u64::try_from(exchanges.len()).expect("a test has few");
        assert_eq!(row.seen(), given + row.lost(), "the account does not close");
        exchanges
    }

    /// What was paired: `request/response`, by their ids; `-` where there is none.
    fn pairs(&self) -> Vec<String> {
        let name = |id: Option<String>| id.unwrap_or_else(|| "-".to_owned());
        let pair = |exchange: &&Exchange| {
            let (request, response) = ids(exchange);
            format!("{}/{}", name(request), name(response))
        };
        self.exchanges().iter().map(pair).collect()
    }

    fn verdicts(&mut self) -> Vec<Verdict> {
        let verdicts = self.found.iter().filter_map(|found| match found {
            Found::Verdict(_, verdict) => Some(*verdict),
            _ => None,
        });
        let verdicts = verdicts.collect();
        self.found.retain(|found| !matches!(found, Found::Verdict(..)));
        verdicts
    }
}

fn get(id: &str) -> String {
    format!("GET /{id} HTTP/1.1\r\nhost: a\r\nx-id: {id}\r\n\r\n")
}

fn ok(id: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nx-id: {id}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
