//! What a policy lets out of DNS lookups.

use std::net::SocketAddr;

use super::{Policy, with_rules};
use crate::dns::{Lookup, Message, Protocol, Question, Record, Transport};
use crate::flow::Timestamp;

fn lookup(name: &str, data: &str) -> Lookup {
    let endpoint = SocketAddr::from(([192, 0, 2, 1], 53)).into();
    let query = Message {
        questions: vec![Question { name: name.into(), ..Question::default() }],
        ..Message::default()
    };
    let answers = vec![Record { data: data.into(), ..Record::default() }];
    Lookup {
        client: endpoint,
        server: endpoint,
        protocol: Protocol::Dns,
        transport: Transport::Udp,
        response: Some(Message { answers, ..query.clone() }),
        query: Some(query),
        failure: None,
        is_repeated: false,
        observed: Timestamp(0),
        views: Vec::new(),
    }
}

fn data(lookup: &Lookup) -> &str {
    &lookup.response.as_ref().expect("the test has a response").answers[0].data
}

#[test]
fn lookups_of_an_excluded_host_are_filtered() {
    let policy = with_rules("[[policy.exclude]]\nhost = [\"*.internal.example\"]");
    assert!(policy.lookup(lookup("db.internal.example", "192.0.2.7")).is_none());
    let kept = policy.lookup(lookup("www.example.com", "192.0.2.7"));
    assert_eq!(kept.as_ref().map(data), Some("192.0.2.7"));
    assert!(Policy::all().lookup(lookup("db.internal.example", "")).is_some());
}

#[test]
fn long_data_of_an_answer_is_cut_unless_all_may_leave() {
    let long = "x".repeat(5000);
    let cut = Policy::safe().lookup(lookup("a", &long)).expect("it is not excluded");
    assert_eq!(data(&cut).len(), 2048);
    assert!(data(&cut).ends_with('\u{2026}'));
    let all = Policy::all().lookup(lookup("a", &long)).expect("it is not excluded");
    assert_eq!(data(&all), long);
}
