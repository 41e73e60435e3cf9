//! The attributes of a handshake as one end took part in it.
//!
//! Lists are names, in the order of the wire; a number without a name is hexadecimal, so that the
//! numbers can always be told again.

use std::borrow::Cow;

use super::{Key, Value, Visit, incomplete, network_type, table};
use crate::exchange::{Failure, Role, View};
use crate::export::escape::utf8;
use crate::flow::Side;
use crate::tls::{Alert, ClientHello, Handshake, ServerHello, extension, is_tls13, names};

/// Visits the attributes of the handshake in this view.
pub(crate) fn handshake<F: FnMut(Key<'_>, Value<'_>)>(
    handshake: &Handshake,
    view: &View,
    visitor: &mut F,
) {
    let mut visit = Visit::new(visitor);
    error(&mut visit, handshake);
    network(&mut visit, handshake, view.role);
    own(&mut visit, handshake, view);
    if let Some(hello) = &handshake.client_hello {
        client(&mut visit, hello);
    }
    if let Some(hello) = &handshake.server_hello {
        server(&mut visit, hello);
    }
    if let Some(resumed) = handshake.resumed() {
        visit.give(Key::new(table::TLS_RESUMED), Value::Bool(resumed));
    }
    if let Some(sent) = handshake.alert {
        alert(&mut visit, sent);
    }
}

/// The value of `error.type`, if the handshake failed: the alert that ended it, else what broke
/// the connection.
pub(crate) fn handshake_error(handshake: &Handshake) -> Option<Cow<'static, str>> {
    let alert = handshake.fatal_alert();
    let alert = alert.map(|alert| format!("tls_alert_{}", names::alert(alert.description)).into());
    alert.or_else(|| handshake.failure.and_then(Failure::error_type).map(Cow::Borrowed))
}

fn error<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, handshake: &Handshake) {
    if let Some(reason) = handshake_error(handshake) {
        visit.str(table::ERROR_TYPE, &reason);
    }
    if let Some(word) = handshake.failure.and_then(incomplete) {
        visit.str(table::TLS_INCOMPLETE, word);
    }
}

fn network<F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    handshake: &Handshake,
    role: Role,
) {
    let (client, server) = (handshake.client, handshake.server);
    let hello = handshake.client_hello.as_ref();
    match hello.and_then(|hello| hello.server_name.as_deref()) {
        Some(name) => visit.str(table::SERVER_ADDRESS, &utf8(name)),
        // A client that means to name a server and does not: who knows.
        None if hello.is_some_and(|hello| hello.has(extension::SERVER_NAME)) => {}
        None => visit.address(table::SERVER_ADDRESS, server.ip()),
    }
    visit.int(table::SERVER_PORT, server.port);
    const LOCAL: [&str; 2] = [table::NETWORK_LOCAL_ADDRESS, table::NETWORK_LOCAL_PORT];
    const PEER: [&str; 2] = [table::NETWORK_PEER_ADDRESS, table::NETWORK_PEER_PORT];
    match role {
        Role::Client => {
            visit.endpoint(LOCAL, client);
            visit.endpoint(PEER, server);
        }
        Role::Server => {
            visit.endpoint([table::CLIENT_ADDRESS, table::CLIENT_PORT], client);
            visit.endpoint(LOCAL, server);
            visit.endpoint(PEER, client);
        }
        Role::Observer => {
            visit.endpoint([table::SOURCE_ADDRESS, table::SOURCE_PORT], client);
            visit.endpoint([table::DESTINATION_ADDRESS, table::DESTINATION_PORT], server);
        }
    }
    visit.str(table::NETWORK_TRANSPORT, "tcp");
    visit.str(table::NETWORK_TYPE, network_type(&server));
    visit.str(table::NETWORK_PROTOCOL_NAME, "tls");
}

fn own<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, handshake: &Handshake, view: &View) {
    visit.id(table::CONNECTION_ID, view.connection_id);
    visit.str(table::CONNECTION_ROLE, view.role.as_str());
    visit.flag(table::CONNECTION_TRUNCATED_START, handshake.truncated_start);
    visit.known(table::NETNS_INODE, u64::from(view.netns_inode));
    visit.known(table::SOCKET_COOKIE, view.socket_cookie);
    if let Some(duration) = handshake.duration_ns() {
        visit.int(table::TLS_DURATION_NS, duration);
    }
    visit.flag(table::TLS_LISTS_CUT, handshake.lists_cut);
}

fn client<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, hello: &ClientHello) {
    visit.str(table::TLS_CLIENT_LEGACY_VERSION, &names::version(hello.legacy_version));
    visit.names(table::TLS_CLIENT_VERSIONS, &hello.supported_versions, names::version);
    visit.names(table::TLS_CLIENT_CIPHERS, &hello.cipher_suites, names::cipher_suite);
    visit.names(table::TLS_CLIENT_EXTENSIONS, &hello.extensions, names::extension);
    visit.names(table::TLS_CLIENT_GROUPS, &hello.supported_groups, names::group);
    let formats: Vec<i64> = hello.point_formats.iter().map(|format| i64::from(*format)).collect();
    if !formats.is_empty() {
        visit.give(Key::new(table::TLS_CLIENT_POINT_FORMATS), Value::Ints(&formats));
    }
    let schemes = &hello.signature_algorithms;
    visit.names(table::TLS_CLIENT_SIGNATURES, schemes, names::signature_scheme);
    let alpn: Vec<&[u8]> = hello.alpn.iter().map(Vec::as_slice).collect();
    if !alpn.is_empty() {
        visit.give(Key::new(table::TLS_CLIENT_ALPN), Value::Strs(&alpn));
    }
    visit.text(table::TLS_CLIENT_JA3, hello.ja3.as_deref());
    visit.text(table::TLS_CLIENT_JA4, hello.ja4.as_deref());
    visit.flag(table::TLS_CLIENT_MALFORMED, hello.is_malformed);
    visit.flag(table::TLS_CLIENT_ECH, hello.has(extension::ENCRYPTED_CLIENT_HELLO));
    visit.flag(table::TLS_CLIENT_OFFERS_RESUMPTION, hello.offers_resumption());
}

fn server<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, hello: &ServerHello) {
    let (name, version) = protocol(hello.version());
    visit.str(table::TLS_PROTOCOL_NAME, name);
    if let Some(version) = version {
        visit.str(table::TLS_PROTOCOL_VERSION, version);
        visit.str(table::NETWORK_PROTOCOL_VERSION, version);
    }
    visit.str(table::TLS_CIPHER, &names::cipher_suite(hello.cipher_suite));
    if let Some(group) = hello.selected_group {
        visit.str(table::TLS_CURVE, &names::group(group));
    }
    if let Some(alpn) = &hello.alpn {
        visit.str(table::TLS_NEXT_PROTOCOL, &utf8(alpn));
    }
    visit.str(table::TLS_SERVER_LEGACY_VERSION, &names::version(hello.legacy_version));
    if let Some(version) = hello.selected_version {
        visit.str(table::TLS_SERVER_SELECTED_VERSION, &names::version(version));
    }
    visit.names(table::TLS_SERVER_EXTENSIONS, &hello.extensions, names::extension);
    visit.text(table::TLS_SERVER_JA3S, hello.ja3s.as_deref());
    visit.flag(table::TLS_SERVER_MALFORMED, hello.is_malformed);
    visit.flag(table::TLS_RETRY, hello.is_retry);
}

/// The values of `tls.protocol.name` and `tls.protocol.version`; drafts of TLS 1.3 are told as
/// such by their own number.
pub(crate) fn protocol(version: u16) -> (&'static str, Option<&'static str>) {
    match version {
        0x0300 => ("ssl", Some("3.0")),
        0x0301 => ("tls", Some("1.0")),
        0x0302 => ("tls", Some("1.1")),
        0x0303 => ("tls", Some("1.2")),
        _ if is_tls13(version) => ("tls", Some("1.3")),
        _ => ("tls", None),
    }
}

fn alert<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, alert: Alert) {
    let level = match alert.level {
        1 => "warning",
        2 => "fatal",
        _ => "unknown",
    };
    let sender = match alert.sender {
        Side::Client => "client",
        Side::Server => "server",
    };
    visit.str(table::TLS_ALERT_LEVEL, level);
    visit.str(table::TLS_ALERT_DESCRIPTION, &names::alert(alert.description));
    visit.str(table::TLS_ALERT_SENDER, sender);
}
