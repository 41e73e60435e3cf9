//! What two hellos say together.

use super::*;

fn handshake(hello: ClientHello, answer: ServerHello) -> Handshake {
    let endpoint = Endpoint { address: [0; 16], port: 443 };
    Handshake {
        client: endpoint,
        server: endpoint,
        client_hello: Some(hello),
        server_hello: Some(answer),
        alert: None,
        failure: None,
        truncated_start: false,
        lists_cut: false,
        observed: Timestamp(0),
        views: Vec::new(),
    }
}

fn resumed(version: u16, extensions: &[u16], ids: [&[u8]; 2], ticket: bool) -> Option<bool> {
    let [ours, theirs] = ids.map(<[u8]>::to_vec);
    let hello = ClientHello { session_id: ours, shows_ticket: ticket, ..Default::default() };
    let answer = ServerHello {
        legacy_version: version,
        session_id: theirs,
        extensions: extensions.to_vec(),
        ..Default::default()
    };
    handshake(hello, answer).resumed()
}

#[test]
fn a_session_is_resumed_if_the_server_echoes_its_id() {
    assert_eq!(resumed(0x0303, &[], [b"id", b"id"], false), Some(true));
    assert_eq!(resumed(0x0303, &[], [b"id", b"id"], true), Some(true));
    assert_eq!(resumed(0x0303, &[], [b"id", b"other"], true), Some(false));
    assert_eq!(resumed(0x0303, &[], [b"", b"new"], false), Some(false));
    assert_eq!(resumed(0x0303, &[], [b"", b""], true), None, "the hellos do not tell");
}

#[test]
fn in_tls_1_3_the_echoed_id_means_nothing() {
    assert_eq!(resumed(0x0304, &[43, 51], [b"id", b"id"], false), Some(false));
    assert_eq!(resumed(0x0304, &[43, 51, 41], [b"id", b"id"], false), Some(true));
    assert_eq!(resumed(0x7f1c, &[41], [b"", b""], false), Some(true));
}

#[test]
fn grease_is_told_by_its_pattern() {
    let grease: Vec<u16> = (0..=u16::MAX).filter(|number| is_grease(*number)).collect();
    assert_eq!(grease.len(), 16);
    assert_eq!((grease.first(), grease.last()), (Some(&0x0a0a), Some(&0xfafa)));
}
