//! What people read, byte for byte.

use proptest::prelude::proptest;

use super::Text;
use crate::connection::Change;
use crate::exchange::{Failure, Role};
use crate::export::samples::{self, view};
use crate::flow::Side;
use crate::tls::Alert;

const PLAIN: Text = Text { headers: false, colour: false };

#[test]
fn an_exchange_is_one_line_in_columns() {
    let mut failed = samples::exchange(Role::Server);
    failed.response = None;
    failed.failure = Some(Failure::ConnectionReset);
    let both = {
        let mut exchange = samples::exchange(Role::Client);
        exchange.views.push(view(Role::Server));
        exchange
    };
    let lines = [samples::exchange(Role::Client), failed, both].map(|e| PLAIN.exchange(&e));
    let expected = "\
15:06:40.123 -> checkout[4242]       GET     200   12.3ms shop.internal:8080/api/items?page=2
15:06:40.123 <- checkout[4242]       GET     connection_reset   12.3ms shop.internal:8080/api/items?page=2 from 10.0.0.5:51234
15:06:40.123 <> checkout[4242]       GET     200   12.3ms shop.internal:8080/api/items?page=2 to checkout[4242]
";
    assert_eq!(lines.concat(), expected);
}

#[test]
fn a_handshake_is_one_line_in_columns() {
    let client = samples::handshake(Role::Client);
    let mut alerted = samples::handshake(Role::Server);
    alerted.server_hello = None;
    let at = samples::at(3_100);
    alerted.alert = Some(Alert { sender: Side::Server, level: 2, description: 70, at });
    let hello = alerted.client_hello.as_mut().expect("the sample has one");
    hello.server_name = Some(b"a\x1b[31m".to_vec());
    let lines = [client, alerted].map(|handshake| PLAIN.handshake(&handshake));
    let expected = "\
15:06:40.123 -> checkout[4242]       TLS     1.3    3.1ms shop.example:443 TLS_AES_128_GCM_SHA256 t13d0204h2_aaaaaaaaaaaa_bbbbbbbbbbbb
15:06:40.123 <- checkout[4242]       TLS     protocol_version    3.0ms a\\x1b[31m:443 t13d0204h2_aaaaaaaaaaaa_bbbbbbbbbbbb from 10.0.0.5:51234
";
    assert_eq!(lines.concat(), expected);
}

#[test]
fn headers_follow_as_on_the_wire_when_asked() {
    let mut exchange = samples::exchange(Role::Client);
    exchange.request.as_mut().expect("the sample has a request").oddities.bare_lf = true;
    exchange.dropped.response = 2;
    let text = Text { headers: true, colour: false }.exchange(&exchange);
    let after = text.split_once('\n').map(|(_, headers)| headers);
    let expected = "    > GET /api/items?page=2 HTTP/1.1
    > Host: shop.internal:8080
    > User-Agent: curl/8.5.0
    > Accept: text/html
    > accept-language: en
    > Accept: application/json
    > traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
    > tracestate: vendor=a
    < HTTP/1.1 200
    < Server: nginx
    < Date: Sun, 15 Jun 2025 15:06:40 GMT
    < Content-Type: application/json
    < Content-Length: 27
    < Connection: keep-alive
    * headertap.http.request.bare_lf
    * kept back: 0 request, 2 response fields
";
    assert_eq!(after, Some(expected));
}

#[test]
fn colour_adds_sequences_and_changes_nothing_else() {
    let exchange = samples::exchange(Role::Client);
    let colour = Text { headers: true, colour: true }.exchange(&exchange);
    let mut stripped = colour.clone();
    for sequence in ["0m", "1m", "2m", "31m", "32m", "33m", "36m"] {
        stripped = stripped.replace(&format!("\x1b[{sequence}"), "");
    }
    assert_ne!(colour, stripped);
    assert_eq!(stripped, Text { headers: true, colour: false }.exchange(&exchange));
}

#[test]
fn a_connection_is_one_line() {
    let line = PLAIN.connection(&samples::connection(Change::Open));
    assert_eq!(line, "15:06:40.123 -- open checkout[4242] 10.0.0.5:51234 -> 10.1.0.9:443 tcp\n");
}

proptest! {
    #[test]
    fn nothing_from_the_wire_controls_the_terminal(exchange in samples::any_exchange()) {
        let text = Text { headers: true, colour: false }.exchange(&exchange);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert!(text.lines().all(|line| !line.is_empty()), "{text:?}");
    }
}
