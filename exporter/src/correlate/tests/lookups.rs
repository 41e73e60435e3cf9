//! DNS lookups over datagrams: which response answers which query, and whose they are.

mod streams;

use std::sync::Arc;

use super::{Correlator, Found, SECOND_NS, START_NS, endpoint, process};
use crate::dns::samples::{RD, Writer, query, response};
use crate::dns::{Failure, Lookup, Protocol};
use crate::event::Datagram;
use crate::exchange::{self, Role};
use crate::flow::{Endpoint, Timestamp, Tuple};
use crate::stats::{Account, Cause, Outcome, Unit};

const MS_NS: u64 = 1_000_000;
const OWN_PID: u32 = 1;
const WWW: &str = "www.example.com";
const ADDRESS: [u8; 4] = [192, 0, 2, 1];

/// Datagrams between a client and a server, given to a correlator one by one.
struct Net {
    correlator: Correlator,
    account: Arc<Account>,
    found: Vec<Found>,
    client: Endpoint,
    server: Endpoint,
    now: Timestamp,
    sighting: u32,
}

impl Net {
    fn new(server_port: u16) -> Self {
        let account = Arc::new(Account::default());
        Self {
            correlator: Correlator::new([7; 16], OWN_PID, Arc::clone(&account)),
            account,
            found: Vec::new(),
            client: endpoint(1, 40_000),
            server: endpoint(2, server_port),
            now: Timestamp(START_NS),
            sighting: 0,
        }
    }

    fn after(&mut self, ns: u64) -> &mut Self {
        self.now = Timestamp(self.now.0 + ns);
        self
    }

    fn client(&mut self, payload: impl AsRef<[u8]>) -> &mut Self {
        self.send(true, payload.as_ref(), None)
    }

    fn server(&mut self, payload: impl AsRef<[u8]>) -> &mut Self {
        self.send(false, payload.as_ref(), None)
    }

    /// A response of the server of which only the first bytes were captured.
    fn captured(&mut self, payload: &[u8], len: usize) -> &mut Self {
        self.deliver(false, payload.len(), &payload[..len], None)
    }

    fn send(&mut self, from_client: bool, payload: &[u8], pid: Option<u32>) -> &mut Self {
        self.deliver(from_client, payload.len(), payload, pid)
    }

    fn deliver(
        &mut self,
        from_client: bool,
        len: usize,
        payload: &[u8],
        pid: Option<u32>,
    ) -> &mut Self {
        let tuple = Tuple { source: self.client, destination: self.server };
        let datagram = Datagram {
            at: self.now,
            tuple: if from_client { tuple } else { tuple.reversed() },
            socket_cookie: pid.unwrap_or(0).into(),
            sighting: self.sighting,
            owner: None,
            len: u32::try_from(len).expect("a test's datagram is short"),
            payload,
        };
        self.correlator.datagram(&datagram, pid.map(process), self.now, &mut self.found);
        self
    }

    fn lookups(&self) -> Vec<&Lookup> {
        self.found
            .iter()
            .map(|found| match found {
                Found::Lookup(lookup) => &**lookup,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// The ids of each lookup's query and response, and what became of it.
    fn told(&mut self) -> Vec<String> {
        let told = self.lookups().into_iter().map(tell).collect();
        let row = self.account.row(Unit::Dns);
        let given = u64::try_from(self.found.len()).expect("a test has few");
        let settled = row.lost() + row.count(Outcome::Filtered);
        assert_eq!(row.seen(), given + settled, "the account does not close");
        told
    }

    fn finish(&mut self) -> &mut Self {
        self.correlator.finish(self.now, &mut self.found);
        self
    }
}

/// `query/response`, by their ids, then why there is no response.
fn tell(lookup: &Lookup) -> String {
    let id = |message: &Option<crate::dns::Message>| {
        message.as_ref().map_or("-".to_owned(), |message| message.id.to_string())
    };
    let ids = format!("{}/{}", id(&lookup.query), id(&lookup.response));
    match lookup.failure {
        Some(Failure::Timeout) => ids + " timeout",
        Some(Failure::Connection(failure)) => format!("{ids} {failure:?}"),
        None if lookup.is_repeated => ids + " repeated",
        None => ids,
    }
}

#[test]
fn a_response_answers_the_query_with_its_id() {
    let mut net = Net::new(53);
    net.client(query(1, WWW, 1)).client(query(2, WWW, 28)).after(3 * MS_NS);
    net.server(Writer::new(2, 0x8180, [1, 0, 0, 0]).question(WWW, 28, 1).0);
    net.server(response(1, "WWW.example.COM", &[ADDRESS]));
    assert_eq!(net.told(), ["2/2", "1/1"]);
    let lookup = net.lookups()[1];
    assert_eq!((lookup.client, lookup.server), (net.client, net.server));
    assert_eq!(lookup.duration_ns(), Some(3 * MS_NS));
    assert_eq!(lookup.protocol, Protocol::Dns);
}

#[test]
fn a_response_to_another_question_answers_nothing() {
    let mut net = Net::new(53);
    net.client(query(1, WWW, 1)).server(response(1, "evil.example", &[ADDRESS]));
    net.server(Writer::new(1, 0xa980, [1, 0, 0, 0]).question(WWW, 1, 1).0); // an update's opcode
    net.server(response(1, WWW, &[ADDRESS]));
    assert_eq!(net.told(), ["-/1", "-/1", "1/1"]);
}

#[test]
fn a_response_without_its_question_answers_by_its_id() {
    let mut net = Net::new(53);
    net.client(query(1, WWW, 1)).server(Writer::new(1, 0x8181, [0; 4]).0);
    assert_eq!(net.told(), ["1/1"]);
}

#[test]
fn a_query_without_a_response_is_told_when_it_has_waited_long_enough() {
    let mut net = Net::new(53);
    net.client(query(1, WWW, 1)).after(5 * SECOND_NS);
    net.correlator.expire(net.now, &mut net.found);
    assert_eq!(net.told(), Vec::<String>::new());
    net.after(1);
    net.correlator.expire(net.now, &mut net.found);
    assert_eq!(net.told(), ["1/- timeout"]);
    net.server(response(1, WWW, &[ADDRESS]));
    assert_eq!(net.told(), ["1/- timeout", "-/1"]);
}

#[test]
fn a_query_that_waits_at_the_end_has_not_failed() {
    let mut net = Net::new(53);
    net.client(query(1, WWW, 1)).finish();
    assert_eq!(net.told(), ["1/- Unfinished"]);
    assert_eq!(net.lookups()[0].failure.and_then(Failure::error_type), None);
}

/// The application waited from the first on; the second is no failure of its own.
#[test]
fn a_repeated_query_that_one_response_serves_is_told_as_repeated() {
    let mut net = Net::new(53);
    net.client(query(1, WWW, 1)).after(SECOND_NS).client(query(1, WWW, 1)).after(MS_NS);
    net.server(response(1, WWW, &[ADDRESS])).after(6 * SECOND_NS);
    net.correlator.expire(net.now, &mut net.found);
    assert_eq!(net.told(), ["1/1", "1/- repeated"]);
    assert_eq!(net.lookups()[0].duration_ns(), Some(SECOND_NS + MS_NS));
}

#[test]
fn a_repeated_query_may_have_a_response_of_its_own() {
    let mut net = Net::new(53);
    net.client(query(1, WWW, 1)).after(SECOND_NS).client(query(1, WWW, 1));
    net.server(response(1, WWW, &[ADDRESS])).server(response(1, WWW, &[ADDRESS]));
    net.server(response(1, WWW, &[ADDRESS]));
    assert_eq!(net.told(), ["1/1", "1/1", "-/1"]);
}

#[test]
fn repeated_queries_that_nobody_answers_have_all_failed() {
    let mut net = Net::new(53);
    net.client(query(1, WWW, 1)).after(SECOND_NS).client(query(1, WWW, 1)).after(7 * SECOND_NS);
    net.correlator.expire(net.now, &mut net.found);
    assert_eq!(net.told(), ["1/- timeout", "1/- timeout"]);
}

#[test]
fn what_is_sent_to_a_group_waits_for_nothing() {
    let mut net = Net::new(5353);
    net.server = "224.0.0.251:5353".parse::<std::net::SocketAddr>().expect("an address").into();
    net.client.port = 5353;
    net.client(Writer::new(0, 0, [1, 0, 0, 0]).question("a.local", 12, 0x8001).0);
    net.client(Writer::new(0, 0x8400, [1, 0, 0, 0]).question("a.local", 12, 1).0);
    net.after(6 * SECOND_NS).finish();
    assert_eq!(net.told(), ["0/-", "-/0"]);
    let lookups = net.lookups();
    assert!(lookups.iter().all(|lookup| lookup.protocol == Protocol::Mdns));
    assert!(lookups[0].questions()[0].wants_unicast);
    // Who announces is the server.
    assert_eq!((lookups[1].server, lookups[1].client), (net.client, net.server));
}

#[test]
fn each_port_has_its_protocol_and_other_ports_have_dns_that_is_beyond_doubt() {
    for (port, protocol) in [
        (53, Protocol::Dns),
        (5353, Protocol::Mdns),
        (5355, Protocol::Llmnr),
        (8053, Protocol::Dns),
    ] {
        let mut net = Net::new(port);
        net.client(query(1, WWW, 1)).server(response(1, WWW, &[ADDRESS]));
        assert_eq!(net.told(), ["1/1"]);
        assert_eq!(net.lookups()[0].protocol, protocol, "port {port}");
    }
}

#[test]
fn what_is_no_message_is_counted_on_a_port_of_dns_alone() {
    for (port, malformed) in [(53, 2), (8053, 0)] {
        let mut net = Net::new(port);
        net.client(b"\xff\xff\xff\xff not dns").client([0xc0; 40]).client(b"");
        assert_eq!(net.told(), Vec::<String>::new());
        let lost = net.account.row(Unit::Dns).count(Outcome::Lost(Cause::Malformed));
        assert_eq!(lost, malformed, "port {port}");
    }
}

/// The first fragment of a response, or what a capture kept of it.
#[test]
fn a_response_that_a_query_waits_for_need_not_be_whole_on_any_port() {
    let whole = response(1, WWW, &[ADDRESS; 3]);
    for (port, told) in [(53, "-/1"), (8053, "nothing")] {
        let mut net = Net::new(port);
        net.client(query(1, WWW, 1)).captured(&whole, whole.len() - 20);
        assert_eq!(net.told(), ["1/1"], "port {port}");
        let answers = net.lookups()[0].response.as_ref().map_or(0, |it| it.answers.len());
        assert_eq!(answers, 1);
        net.captured(&whole, whole.len() - 20);
        assert_eq!(net.told().get(1).map_or("nothing", |told| told), told, "port {port}");
    }
    let mut net = Net::new(8053);
    net.client(query(1, WWW, 1)).server(&whole[..20]).server(b"").server([0; 200]);
    assert_eq!(net.account.row(Unit::Dns).count(Outcome::Lost(Cause::Malformed)), 1);
}

#[test]
fn netbios_names_are_not_dns() {
    let name = "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let status = Writer::new(1, RD, [1, 0, 0, 0]).question(name, 33, 1).0;
    assert_eq!(Net::new(137).client(&status).finish().told(), Vec::<String>::new());
    assert_eq!(Net::new(53).client(&status).finish().told(), ["1/- Unfinished"]);
}

#[test]
fn each_end_on_this_host_has_a_view() {
    let mut net = Net::new(53);
    net.send(true, &query(1, WWW, 1), Some(42)).send(
        false,
        &response(1, WWW, &[ADDRESS]),
        Some(43),
    );
    net.send(true, &query(2, WWW, 1), Some(42)).server(response(2, WWW, &[ADDRESS]));
    net.client(query(3, WWW, 1)).server(response(3, WWW, &[ADDRESS]));
    net.send(false, &response(4, WWW, &[ADDRESS]), Some(43));
    let views: Vec<Vec<_>> = net
        .lookups()
        .iter()
        .map(|lookup| lookup.views.iter().map(|view| (view.role, view.process.pid)).collect())
        .collect();
    assert_eq!(
        views,
        [
            vec![(Role::Client, 42), (Role::Server, 43)],
            vec![(Role::Client, 42)],
            vec![(Role::Observer, 0)],
            vec![(Role::Server, 43)],
        ]
    );
}

#[test]
fn what_headertap_asks_for_itself_is_not_told() {
    let mut net = Net::new(53);
    net.send(true, &query(1, WWW, 1), Some(OWN_PID)).server(response(1, WWW, &[ADDRESS]));
    assert_eq!(net.told(), Vec::<String>::new());
    assert_eq!(net.account.row(Unit::Dns).count(Outcome::Filtered), 1);
}

/// A datagram passes the container's interface, the bridge and the network card.
#[test]
fn a_datagram_that_passes_several_interfaces_is_told_once() {
    let mut net = Net::new(53);
    for (sighting, pid) in [(2, Some(42)), (4, None), (6, None)] {
        net.sighting = sighting;
        net.send(true, &query(1, WWW, 1), pid).after(MS_NS / 100);
    }
    for sighting in [7, 5, 3] {
        net.sighting = sighting;
        net.server(response(1, WWW, &[ADDRESS])).after(MS_NS / 100);
    }
    assert_eq!(net.told(), ["1/1"]);
    assert_eq!(net.lookups()[0].views[0].process.pid, 42);
}

#[test]
fn a_datagram_that_passes_one_interface_again_was_sent_again() {
    let mut net = Net::new(53);
    for _ in 0..2 {
        for sighting in [2, 4] {
            net.sighting = sighting;
            net.client(query(1, WWW, 1));
        }
        net.after(MS_NS);
    }
    net.finish();
    assert_eq!(net.told(), ["1/- Unfinished", "1/- Unfinished"]);
}

#[test]
fn a_datagram_that_is_the_same_much_later_is_another() {
    let mut net = Net::new(53);
    for sighting in [2, 4] {
        net.sighting = sighting;
        net.client(query(1, WWW, 1)).after(2 * SECOND_NS);
    }
    assert_eq!(net.finish().told(), ["1/- Unfinished", "1/- Unfinished"]);
}

#[test]
fn in_a_file_every_packet_is_there_once() {
    let mut net = Net::new(53);
    net.client(query(1, WWW, 1)).client(query(1, WWW, 1)).finish();
    assert_eq!(net.told(), ["1/- Unfinished", "1/- Unfinished"]);
}

#[test]
fn queries_that_wait_are_bounded_in_number_by_id_and_in_all() {
    let mut net = Net::new(53);
    for _ in 0..20 {
        net.client(query(1, WWW, 1));
    }
    assert_eq!(net.told(), vec!["1/- Unfinished"; 4]);
    let mut net = Net::new(53);
    for number in 0..70_000_u32 {
        let [low, high, ..] = number.to_le_bytes();
        net.client.port = u16::from_le_bytes([low, high]);
        net.client.address[15] = u8::try_from(number >> 16).expect("it is small");
        net.client(query(1, WWW, 1));
    }
    assert_eq!(net.told().len(), 70_000 - 64 * 1024);
    let lookup = net.lookups()[0];
    assert_eq!(lookup.failure, Some(Failure::Connection(exchange::Failure::Unfinished)));
    assert_eq!(lookup.client.port, 0, "the oldest goes first");
}
