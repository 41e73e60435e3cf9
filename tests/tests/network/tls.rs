//! TLS as OpenSSL, curl and nginx speak it, and hellos as TCP cuts them.

use std::io::Read;
use std::net::Shutdown;

use e2e::agent::{Agent, Start};
use e2e::lan::Lan;
use e2e::records::Record;
use e2e::servers;
use e2e::tls::{Certificate, NAME, Server, text};
use e2e::traffic::Conversation;
use e2e::{root_or_fail, run};

/// What OpenSSL 3.0 said when it was asked to connect.
const HELLO: &[u8] = include_bytes!("../../../exporter/src/parse/tls/fixtures/tls13.client");

fn watch(lan: &Lan) -> Agent {
    Start::new(None).interfaces(lan.interface_names()).json().ready()
}

/// The handshakes of one end, in order, of a run that lost nothing.
fn handshakes(agent: Agent, port: u16, role: &str) -> Vec<Record> {
    let ended = agent.stop();
    ended.account().assert_lossless();
    let mut logs = ended.records.events("headertap.tls.handshake", port);
    logs.retain(|log| log.role() == Some(role));
    let time = |log: &Record| log.json["timeUnixNano"].as_str().map(str::to_owned);
    logs.sort_by_key(|log| time(log));
    logs.into_iter().cloned().collect()
}

fn told<'a>(log: &'a Record, names: [&str; 4]) -> [Option<&'a str>; 4] {
    names.map(|name| log.text(name))
}

#[test]
fn each_end_tells_of_a_handshake_of_either_version() {
    root_or_fail();
    let lan = Lan::bridged();
    let server = Server::start(&lan, &["-alpn", "h2"]);
    let agent = watch(&lan);
    let alpn = ["-alpn", "h2,http/1.1"];
    let (first, _) = server.ask(&lan, &[&["-tls1_3"], alpn.as_slice()].concat());
    let old = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"];
    let (second, _) = server.ask(&lan, &[&old, alpn.as_slice()].concat());
    let ended = agent.stop();
    ended.account().assert_lossless();
    let logs = ended.records.events("headertap.tls.handshake", server.port);
    let facts =
        ["tls.protocol.version", "tls.cipher", "tls.next_protocol", "headertap.tls.client.alpn"];
    for (pid, expected) in [
        (first, [Some("1.3"), Some("TLS_AES_256_GCM_SHA384"), None, Some("h2")]),
        (
            second,
            [Some("1.2"), Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), Some("h2"), Some("h2")],
        ),
    ] {
        let log = logs.iter().find(|log| log.pid() == Some(pid));
        let log = log.unwrap_or_else(|| panic!("no handshake of {pid} in {logs:?}"));
        assert_eq!(told(log, facts), expected);
        assert_eq!((log.role(), log.text("server.address")), (Some("client"), Some(NAME)));
        let ja4 = log.text("headertap.tls.client.ja4");
        let twin = logs.iter().find(|other| {
            other.role() == Some("server") && other.text("headertap.tls.client.ja4") == ja4
        });
        assert_eq!(twin.and_then(|twin| twin.pid()), Some(server.pid()));
    }
    assert_eq!(logs.len(), 4, "{logs:?}");
}

#[test]
fn a_client_that_is_asked_to_try_again_gives_two_records() {
    root_or_fail();
    let lan = Lan::bridged();
    let server = Server::start(&lan, &["-groups", "P-384"]);
    let agent = watch(&lan);
    server.ask(&lan, &["-groups", "X25519:P-384"]);
    let logs = handshakes(agent, server.port, "client");
    let [first, second] = logs.as_slice() else { panic!("not two records: {logs:?}") };
    let is_retry = |log: &Record| log.attributes.contains_key("headertap.tls.retry");
    assert!(is_retry(first) && !is_retry(second));
    assert_eq!([first, second].map(|log| log.text("tls.curve")), [Some("secp384r1"); 2]);
}

#[test]
fn a_session_that_goes_on_is_told() {
    root_or_fail();
    let lan = Lan::bridged();
    for (version, server_options) in
        [("-tls1_3", [].as_slice()), ("-tls1_2", &[]), ("-tls1_2", &["-no_ticket"])]
    {
        let server = Server::start(&lan, server_options);
        let agent = watch(&lan);
        let session = server.file("session");
        server.ask(&lan, &[version, "-sess_out", text(&session)]);
        let (_, output) = server.ask(&lan, &[version, "-sess_in", text(&session)]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("Reused, "), "OpenSSL goes on with the session: {said}");
        let logs = handshakes(agent, server.port, "server");
        let resumed: Vec<_> =
            logs.iter().map(|log| log.attributes["tls.resumed"].as_bool()).collect();
        assert_eq!(resumed, [Some(false), Some(true)], "{version} {server_options:?}");
    }
}

#[test]
fn a_server_that_refuses_answers_by_an_alert() {
    root_or_fail();
    let lan = Lan::bridged();
    let server = Server::start(&lan, &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"]);
    let agent = watch(&lan);
    let (_, output) = server.ask(&lan, &["-tls1_2", "-cipher", "AES128-SHA256"]);
    assert!(!output.status.success(), "they have no cipher suite in common");
    let logs = handshakes(agent, server.port, "client");
    let [log] = logs.as_slice() else { panic!("not one record: {logs:?}") };
    let facts = [
        "error.type",
        "headertap.tls.alert.description",
        "headertap.tls.alert.level",
        "headertap.tls.alert.sender",
    ];
    let expected =
        ["tls_alert_handshake_failure", "handshake_failure", "fatal", "server"].map(Some);
    assert_eq!(told(log, facts), expected);
    assert_eq!(log.json["severityNumber"].as_u64(), Some(13));
}

#[test]
fn after_the_hellos_nothing_is_copied() {
    root_or_fail();
    let lan = Lan::bridged();
    let (certificate, port) = (Certificate::new(), e2e::port());
    let nginx = servers::Start::new(Some(&lan.server))
        .server(&format!(
            "listen {port} ssl; ssl_certificate {}; ssl_certificate_key {};",
            text(&certificate.certificate()),
            text(&certificate.key())
        ))
        .start();
    nginx.put("large", &vec![b'x'; 64 << 20]);
    let agent = watch(&lan);
    let mut curl = lan.client.command("curl");
    curl.args(["--silent", "--show-error", "--insecure", "--http1.1", "--output", "/dev/null"]);
    curl.args(["--resolve", &format!("{NAME}:{port}:{}", lan.server_v4())]);
    run(curl.args([
        "--write-out",
        "%{size_download}",
        &format!("https://{NAME}:{port}/files/large"),
    ]));
    let ended = agent.stop();
    ended.account().assert_lossless();
    let logs = ended.records.events("headertap.tls.handshake", port);
    let mut roles: Vec<_> = logs.iter().filter_map(|log| log.role()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["client", "server"]);
    assert!(logs.iter().all(|log| log.text("server.address") == Some(NAME)));
    let segments = ended.account().row("segments").seen;
    println!("{segments} segments of 64 MiB were copied");
    assert!(segments < 60, "{segments} segments of 64 MiB were copied");
}

#[test]
fn a_hello_that_comes_byte_by_byte_is_one_hello() {
    root_or_fail();
    let lan = Lan::bridged();
    let agent = watch(&lan);
    let mut talk = Conversation::over(&lan);
    // Behind the ClientHello's record stands what it said later.
    let len = 5 + usize::from(u16::from_be_bytes([HELLO[3], HELLO[4]]));
    for byte in &HELLO[..len] {
        talk.request([*byte]);
    }
    talk.server.shutdown(Shutdown::Both).expect("it is open");
    assert_eq!(talk.client.read(&mut [0]).ok(), Some(0), "the server has closed");
    drop(talk.client);
    let logs = handshakes(agent, talk.port, "client");
    let [log] = logs.as_slice() else { panic!("not one record: {logs:?}") };
    let facts = ["server.address", "headertap.tls.client.ja4", "tls.client.ja3", "error.type"];
    let expected = [
        NAME,
        "t13d3111h2_e8f1e7e78f70_1f22a2ca17c4",
        "5a1edc7f170af1014fc65c994878e63c",
        "connection_closed",
    ];
    assert_eq!(told(log, facts), expected.map(Some));
}

#[test]
fn a_hello_of_16_kib_is_read_to_its_end() {
    root_or_fail();
    let lan = Lan::bridged();
    let agent = watch(&lan);
    let mut talk = Conversation::over(&lan);
    // draft-ietf-tls-ecdhe-mlkem needs 1.2 KiB; what comes after it may need more.
    talk.request(hello_with_key_share(16_000));
    talk.response([21, 3, 3, 0, 2, 2, 47]);
    let logs = handshakes(agent, talk.port, "server");
    let [log] = logs.as_slice() else { panic!("not one record: {logs:?}") };
    assert_eq!(log.attributes["headertap.tls.client.extensions"], serde_json::json!(["key_share"]));
    assert_eq!(log.text("error.type"), Some("tls_alert_illegal_parameter"));
}

/// A ClientHello with one suite and a key share of this many bytes, in records of 4 KiB.
fn hello_with_key_share(bytes: u16) -> Vec<u8> {
    let vector = |content: &[u8]| {
        let len = u16::try_from(content.len()).expect("it is short").to_be_bytes();
        [&len, content].concat()
    };
    let key_share = [51_u16.to_be_bytes().to_vec(), vector(&vec![7; usize::from(bytes)])];
    let body = [
        [3, 3].as_slice(),
        &[7; 32],
        &[0],
        &[0, 2, 0x13, 1],
        &[1, 0],
        &vector(&key_share.concat()),
    ]
    .concat();
    let message = [&[1, 0], vector(&body).as_slice()].concat();
    let record = |fragment: &[u8]| [&[22, 3, 1], vector(fragment).as_slice()].concat();
    message.chunks(4096).flat_map(record).collect()
}
