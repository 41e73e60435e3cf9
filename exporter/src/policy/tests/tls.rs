//! What a policy lets out of handshakes.

use super::with_rules;
use crate::exchange::View;
use crate::flow::Endpoint;
use crate::flow::Timestamp;
use crate::policy::Policy;
use crate::policy::caps::{LINES_MAX, NAME_MAX_BYTES, NUMBERS_MAX};
use crate::tls::{ClientHello, Handshake};

fn handshake(hello: ClientHello) -> Handshake {
    let endpoint = Endpoint { address: [0; 16], port: 443 };
    Handshake {
        client: endpoint,
        server: endpoint,
        client_hello: Some(hello),
        server_hello: None,
        alert: None,
        failure: None,
        truncated_start: false,
        lists_cut: false,
        observed: Timestamp(0),
        views: Vec::<View>::new(),
    }
}

fn named(name: &[u8]) -> Handshake {
    handshake(ClientHello { server_name: Some(name.to_vec()), ..ClientHello::default() })
}

#[test]
fn a_handshake_with_an_excluded_host_is_filtered() {
    let policy = with_rules("[[policy.exclude]]\nhost = [\"*.internal\"]");
    assert!(policy.handshake(named(b"db.INTERNAL")).is_none());
    assert!(policy.handshake(named(b"shop.example")).is_some());
    assert!(policy.handshake(handshake(ClientHello::default())).is_some());
}

#[test]
fn an_exclusion_that_asks_for_more_than_the_host_takes_no_handshake() {
    let policy = with_rules("[[policy.exclude]]\nhost = [\"*\"]\npath = [\"/healthz\"]");
    assert!(policy.handshake(named(b"shop.example")).is_some());
}

fn large() -> Handshake {
    handshake(ClientHello {
        server_name: Some(vec![b'x'; 4_000]),
        cipher_suites: (0..4_000).collect(),
        alpn: vec![b"h2".to_vec(); 4_000],
        ja4: Some("of all there was".to_owned()),
        ..ClientHello::default()
    })
}

#[test]
fn lists_are_cut_and_fingerprints_are_not() {
    let short = Policy::safe().handshake(large()).expect("nothing is excluded");
    let hello = short.client_hello.as_ref().expect("it has one");
    assert_eq!((hello.cipher_suites.len(), hello.alpn.len()), (NUMBERS_MAX, LINES_MAX));
    assert_eq!(hello.server_name.as_ref().map(Vec::len), Some(NAME_MAX_BYTES));
    assert_eq!(hello.ja4.as_deref(), Some("of all there was"));
    assert!(short.lists_cut);
    assert!(!Policy::safe().handshake(named(b"a")).expect("it is small").lists_cut);
}

#[test]
fn policy_all_cuts_nothing() {
    let all = Policy::all().handshake(large()).expect("nothing is excluded");
    let hello = all.client_hello.as_ref().expect("it has one");
    assert_eq!((hello.cipher_suites.len(), all.lists_cut), (4_000, false));
}
