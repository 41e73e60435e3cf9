//! The line of a handshake.

use super::{arrow, failure_word, push_duration, push_process};
use crate::exchange::{Role, View};
use crate::export::attributes::protocol;
use crate::export::escape::push_printable;
use crate::export::number::{push_decimal, push_endpoint, push_ip};
use crate::tls::{Handshake, names};

/// `TLS 1.3 3.1ms curl[4242] -> shop.example:443 TLS_AES_128_GCM_SHA256 h2 t13d…`
pub(crate) fn push_handshake(line: &mut String, handshake: &Handshake, view: &View) {
    line.push_str("TLS ");
    push_handshake_outcome(line, handshake);
    line.push(' ');
    if let Some(duration) = handshake.duration_ns() {
        push_duration(line, duration);
        line.push(' ');
    }
    let end = if view.role == Role::Server { handshake.server } else { handshake.client };
    push_process(line, &view.process, end);
    line.push_str(arrow(view.role));
    if view.role == Role::Server {
        push_endpoint(line, handshake.client);
        line.push(' ');
    }
    push_handshake_server(line, handshake);
    push_choice(line, handshake);
}

/// The version that was chosen, `retry`, or why none was.
pub(crate) fn push_handshake_outcome(line: &mut String, handshake: &Handshake) {
    if let Some(alert) = handshake.fatal_alert() {
        return line.push_str(&names::alert(alert.description));
    }
    match (&handshake.server_hello, handshake.failure) {
        (Some(hello), _) if hello.is_retry => line.push_str("retry"),
        (Some(hello), _) => match protocol(hello.version()) {
            ("tls", Some(version)) => line.push_str(version),
            (_, _) => line.push_str(&names::version(hello.version())),
        },
        (None, Some(failure)) => line.push_str(failure_word(failure)),
        (None, None) => line.push('-'),
    }
}

/// `shop.example:443`, the server as the client names it.
pub(crate) fn push_handshake_server(line: &mut String, handshake: &Handshake) {
    match handshake.client_hello.as_ref().and_then(|hello| hello.server_name.as_deref()) {
        Some(name) => push_printable(line, name),
        None if handshake.server.ip().is_ipv4() => push_ip(line, handshake.server.ip()),
        None => return push_endpoint(line, handshake.server),
    }
    line.push(':');
    push_decimal(line, u64::from(handshake.server.port));
}

/// ` TLS_AES_128_GCM_SHA256 h2 t13d…`: what was chosen, and by whom it was asked.
pub(crate) fn push_choice(line: &mut String, handshake: &Handshake) {
    if let Some(hello) = &handshake.server_hello {
        line.push(' ');
        line.push_str(&names::cipher_suite(hello.cipher_suite));
        if let Some(protocol) = &hello.alpn {
            line.push(' ');
            push_printable(line, protocol);
        }
    }
    if let Some(ja4) = handshake.client_hello.as_ref().and_then(|hello| hello.ja4.as_deref()) {
        line.push(' ');
        line.push_str(ja4);
    }
}
