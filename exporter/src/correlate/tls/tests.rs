//! What answers what, in order, out of order, with losses and with what is no TLS. The fixtures
//! are what OpenSSL 3.0 sent.

use super::*;
use Side::{Client, Server};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../parse/tls/fixtures/", $name)).as_slice()
    };
}

const TLS12: [&[u8]; 2] = [fixture!("tls12.client"), fixture!("tls12.server")];
const TLS13: [&[u8]; 2] = [fixture!("tls13.client"), fixture!("tls13.server")];
const RETRY: [&[u8]; 2] = [fixture!("retry.client"), fixture!("retry.server")];
const ALERT: [&[u8]; 2] = [fixture!("alert.client"), fixture!("alert.server")];

/// The bytes of the ClientHello's record.
fn hello(bytes: &[u8]) -> &[u8] {
    &bytes[..5 + usize::from(bytes[3]) * 256 + usize::from(bytes[4])]
}

/// A conversation with what it gives.
struct Talk {
    tls: Tls,
    steps: Vec<Step>,
    now: u64,
    over: bool,
}

impl Talk {
    fn of(tls: Tls) -> Self {
        Self { tls, steps: Vec::new(), now: 0, over: false }
    }

    fn new() -> Self {
        Self::of(Tls::new())
    }

    fn say(&mut self, side: Side, bytes: &[u8]) -> &mut Self {
        self.now += 1;
        self.say_at(side, bytes, self.now)
    }

    fn say_at(&mut self, side: Side, bytes: &[u8], at: u64) -> &mut Self {
        if !self.over {
            let fate = self.tls.data(side, bytes, Timestamp(at), &mut self.steps);
            self.over = matches!(fate, Fate::Over);
        }
        self
    }

    /// What was given, as `question > answer`.
    fn given(&mut self) -> Vec<String> {
        self.steps.drain(..).map(|step| short(&step)).collect()
    }

    fn failed(&mut self, failure: Failure) -> Vec<String> {
        self.tls.fail(failure, &mut self.steps);
        self.given()
    }
}

fn short(step: &Step) -> String {
    let hellos = match step {
        Step::Handshake(hellos) => hellos,
        Step::Lost(Unit::Tls, cause) => return format!("lost {}", cause.as_str()),
        other => panic!("not of TLS: {other:?}"),
    };
    let name = |hello: &ClientHello| hello.server_name.clone().unwrap_or_default();
    let client = hellos.client_hello.as_ref().map_or("?".into(), |hello| {
        String::from_utf8(name(hello)).expect("fixtures have plain names")
    });
    let server = hellos.server_hello.as_ref().map(|hello| match hello.is_retry {
        true => "retry".to_owned(),
        false => format!("{:04x}", hello.version()),
    });
    let alert = hellos.alert.map(|alert| format!("{:?} alert {}", alert.sender, alert.description));
    let failure = hellos.failure.map(|failure| format!("{failure:?}"));
    let parts = [server, alert, failure].into_iter().flatten().collect::<Vec<_>>();
    format!("{client} > {}", parts.join(", "))
}

#[test]
fn a_server_hello_answers_the_client_hello_and_ends_the_conversation() {
    for ([client, server], version) in [(TLS12, "0303"), (TLS13, "0304")] {
        let mut talk = Talk::new();
        talk.say(Client, hello(client)).say(Server, server);
        assert_eq!(talk.given(), [format!("shop.example.test > {version}")]);
        assert!(talk.over);
        assert!(talk.failed(Failure::ConnectionReset).is_empty(), "it is given once");
    }
}

#[test]
fn a_retry_and_the_second_hello_are_two_records() {
    let [client, server] = RETRY;
    let (first, rest) = client.split_at(hello(client).len());
    let (retry, answer) = server.split_at(hello(server).len());
    let mut talk = Talk::new();
    talk.say(Client, first).say(Server, retry);
    assert_eq!(talk.given(), ["shop.example.test > retry"]);
    assert_eq!(talk.tls.wants(Client), Wants::More);
    talk.say(Client, rest).say(Server, answer);
    assert_eq!(talk.given(), ["shop.example.test > 0304"]);
    assert!(talk.over);
}

#[test]
fn directions_may_be_captured_one_after_the_other() {
    let [client, server] = RETRY;
    let (first, rest) = client.split_at(hello(client).len());
    let (retry, answer) = server.split_at(hello(server).len());
    let expected = ["shop.example.test > retry", "shop.example.test > 0304"];
    let said = [(Client, first, 1), (Server, retry, 2), (Client, rest, 3), (Server, answer, 4)];
    for order in [[0, 2, 1, 3], [1, 0, 2, 3], [1, 0, 3, 2], [0, 1, 3, 2]] {
        let mut talk = Talk::new();
        for at in order {
            let (side, bytes, at) = said[at];
            talk.say_at(side, bytes, at);
        }
        assert_eq!(talk.given(), expected, "in the order {order:?}");
    }
}

#[test]
fn an_answer_is_not_paired_with_a_hello_that_came_after_it() {
    let [client, server] = RETRY;
    let mut talk = Talk::of(Tls::joined());
    talk.say(Server, hello(server)).say(Client, hello(client));
    assert_eq!(talk.given(), ["? > retry"]);
    talk.say(Server, TLS13[1]);
    assert_eq!(talk.given(), ["shop.example.test > 0304"]);
}

#[test]
fn an_alert_answers_a_hello_and_ends_the_conversation() {
    let mut talk = Talk::new();
    talk.say(Client, ALERT[0]).say(Server, ALERT[1]);
    assert_eq!(talk.given(), ["shop.example.test > Server alert 40"]);
    assert!(talk.over);
}

#[test]
fn a_warning_is_told_with_the_answer() {
    let unrecognized_name = [21, 3, 3, 0, 2, 1, 112];
    let mut talk = Talk::new();
    talk.say(Client, hello(TLS12[0])).say(Server, &unrecognized_name).say(Server, TLS12[1]);
    assert_eq!(talk.given(), ["shop.example.test > 0303, Server alert 112"]);
}

#[test]
fn a_hello_that_nobody_answers_is_given_when_the_connection_ends() {
    for failure in [Failure::ConnectionReset, Failure::ConnectionClosed, Failure::Unfinished] {
        let mut talk = Talk::new();
        talk.say(Client, hello(TLS13[0]));
        assert_eq!(talk.tls.wants(Client), Wants::Turn);
        assert_eq!(talk.failed(failure), [format!("shop.example.test > {failure:?}")]);
    }
    let mut talk = Talk::new();
    talk.say(Client, hello(TLS13[0]));
    talk.tls.fin(Client, Timestamp(2), &mut talk.steps);
    assert!(talk.given().is_empty(), "the answer may still come");
    talk.tls.fin(Server, Timestamp(2), &mut talk.steps);
    assert_eq!(talk.given(), ["shop.example.test > ConnectionClosed"]);
}

#[test]
fn a_client_that_goes_on_was_answered_unseen() {
    let mut talk = Talk::new();
    talk.say(Client, TLS13[0]);
    assert!(talk.given().is_empty() && !talk.over);
    assert_eq!(talk.failed(Failure::ConnectionClosed), ["shop.example.test > Gap"]);
}

#[test]
fn an_answer_to_another_protocol_is_a_failure() {
    let mut talk = Talk::new();
    talk.say(Client, hello(TLS13[0])).say(Server, b"HTTP/1.1 400 Bad Request\r\n");
    assert_eq!(talk.given(), ["shop.example.test > ProtocolError"]);
    assert!(talk.over);
}

#[test]
fn who_accepted_the_connection_may_say_hello_first() {
    let mut talk = Talk::new();
    talk.say(Server, hello(TLS12[0])).say(Client, TLS12[1]);
    assert!(matches!(talk.steps[..], [Step::Handshake(Hellos { caller: Server, .. })]));
}

#[test]
fn a_gap_in_a_hello_loses_it_and_nothing_is_paired_across() {
    let [client, server] = TLS12;
    for cut in 1..hello(client).len() {
        let mut talk = Talk::new();
        talk.say(Client, &client[..cut]);
        talk.tls.gap(Client, 100, Timestamp(2), &mut talk.steps);
        talk.say(Client, b"the rest of it").say(Server, server);
        let given = talk.given();
        assert_eq!(given, ["lost gap", "? > 0303"], "cut at {cut}");
    }
    for cut in 1..hello(server).len() {
        let mut talk = Talk::new();
        talk.say(Client, hello(client)).say(Server, &server[..cut]);
        talk.tls.gap(Server, 100, Timestamp(3), &mut talk.steps);
        talk.say(Server, &[23, 3, 3, 1, 0, 7]);
        assert_eq!(talk.given(), ["lost gap", "shop.example.test > Gap"], "cut at {cut}");
        assert!(talk.over);
    }
}

#[test]
fn a_connection_joined_after_its_hellos_is_over_at_once() {
    for side in [Client, Server] {
        let mut talk = Talk::of(Tls::joined());
        talk.say(side, &[23, 3, 3, 0, 40, 1, 2, 3]);
        assert!(talk.over && talk.given().is_empty());
    }
}

#[test]
fn a_server_hello_whose_client_hello_was_missed_is_a_record_of_its_own() {
    let mut talk = Talk::of(Tls::joined());
    talk.say(Server, TLS12[1]);
    assert!(talk.given().is_empty(), "the ClientHello may come late");
    talk.say(Client, &[22, 3, 3, 0, 70, 16, 0, 0, 66]);
    assert_eq!(talk.given(), ["? > 0303"]);
    assert!(talk.over);
}

#[test]
fn early_data_are_skipped_until_the_answer() {
    let mut talk = Talk::new();
    talk.say(Client, fixture!("resumed13.client"));
    assert!(talk.failed(Failure::Gap).len() == 1);
    let early = [hello(TLS13[0]), &[20, 3, 3, 0, 1, 1]].concat();
    let mut talk = Talk::new();
    talk.say(Client, &early);
    assert_eq!(talk.tls.wants(Client), Wants::Turn);
    talk.tls.gap(Client, 9000, Timestamp(2), &mut talk.steps);
    talk.say(Server, TLS13[1]);
    assert_eq!(talk.given(), ["shop.example.test > 0304"]);
}

#[test]
fn hellos_that_nobody_answers_are_bounded_and_none_is_forgotten() {
    let mut talk = Talk::new();
    for _ in 0..50 {
        talk.say(Client, hello(TLS12[0]));
        assert!(talk.tls.asked.len() <= ASKED_MAX);
    }
    let given = talk.given().len() + talk.failed(Failure::ConnectionClosed).len();
    assert_eq!(given, 50);
    assert_eq!(talk.tls.cost(), 0);
}

#[test]
fn what_has_lasted_too_long_is_given() {
    let mut talk = Talk::new();
    talk.say(Client, hello(TLS12[0]));
    talk.tls.give_overdue(Timestamp(1), &mut talk.steps);
    assert!(talk.given().is_empty());
    talk.tls.give_overdue(Timestamp(2), &mut talk.steps);
    assert_eq!(talk.given(), ["shop.example.test > Unfinished"]);
}

#[test]
fn memory_can_be_given_back() {
    let mut talk = Talk::new();
    talk.say(Client, hello(TLS12[0])).say(Client, &TLS12[0][..100]);
    assert!(talk.tls.cost() > 300);
    talk.tls.shed(&mut talk.steps);
    assert_eq!(talk.given(), ["lost table_full", "shop.example.test > Unfinished"]);
    assert_eq!(talk.tls.cost(), 0);
    talk.say(Server, TLS12[1]);
    assert_eq!(talk.given(), ["? > 0303"]);
}
