//! HTTP/1 as TCP really carries it: in pieces, in a heap, interrupted, and joined late.

use std::io::Read;
use std::net::Shutdown;

use e2e::agent::{Agent, Ended, Start};
use e2e::lan::Lan;
use e2e::records::Record;
use e2e::root_or_fail;
use e2e::servers::Nginx;
use e2e::traffic::{Conversation, ask, assert_paired_right, connect, get, ids_of, ok};

const MIB: usize = 1 << 20;

fn watch(lan: &Lan) -> Agent {
    Start::new(None).interfaces(lan.interface_names()).json().ready()
}

/// The server's view of every exchange, in order, of a run that lost nothing.
fn served(ended: &Ended, port: u16) -> Vec<&Record> {
    ended.account().assert_lossless();
    let mut logs = ended.records.exchanges(port);
    logs.retain(|log| log.role() == Some("server"));
    logs.sort_by_key(|log| log.number("headertap.http.request_index"));
    assert_paired_right(&ids_of(&logs));
    logs
}

fn paths<'a>(served: &[&'a Record]) -> Vec<&'a str> {
    served.iter().map(|log| log.path().unwrap_or("no request")).collect()
}

#[test]
fn a_head_that_comes_byte_by_byte_is_one_message() {
    root_or_fail();
    let lan = Lan::bridged();
    let agent = watch(&lan);
    let mut talk = Conversation::over(&lan);
    for byte in get("1").as_bytes() {
        talk.request([*byte]);
    }
    for byte in ok("1").as_bytes() {
        talk.response([*byte]);
    }
    talk.exchange("2");
    let ended = agent.stop();
    let served = served(&ended, talk.port);
    assert_eq!(paths(&served), ["/1", "/2"]);
    assert_eq!(served[0].status(), Some(200));
    assert_eq!(served[0].response_header("content-length"), Some("2"));
}

#[test]
fn heads_of_60_kib_are_read_to_their_end() {
    root_or_fail();
    let lan = Lan::bridged();
    let agent = watch(&lan);
    let mut talk = Conversation::over(&lan);
    let filler: String =
        (0..61).map(|n| format!("X-Filler-{n}: {}\r\n", "x".repeat(1000))).collect();
    let last = format!("{filler}X-Request-Id: 1\r\n");
    let request = get("1").replace("X-Request-Id: 1\r\n", &last);
    assert!(request.len() > 60 * 1024, "{}", request.len());
    talk.request(request);
    talk.response(ok("1").replace("X-Request-Id: 1\r\n", &last));
    talk.exchange("2");
    let ended = agent.stop();
    let served = served(&ended, talk.port);
    assert_eq!(paths(&served), ["/1", "/2"]);
    let ids = (served[0].request_header("x-request-id"), served[0].response_header("x-request-id"));
    assert_eq!(ids, (Some("1"), Some("1")), "the last field of 60 KiB");
}

#[test]
fn ten_pipelined_requests_in_one_segment_are_ten_exchanges() {
    root_or_fail();
    let lan = Lan::bridged();
    let agent = watch(&lan);
    let mut talk = Conversation::over(&lan);
    let ids: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    talk.request(ids.iter().map(|id| get(id)).collect::<String>());
    talk.response(ids.iter().map(|id| ok(id)).collect::<String>());
    let ended = agent.stop();
    let served = served(&ended, talk.port);
    let expected: Vec<String> = ids.iter().map(|id| format!("/{id}")).collect();
    assert_eq!(paths(&served), expected);
    assert!(served.iter().all(|log| log.status() == Some(200)));
}

#[test]
fn bodies_of_every_framing_end_where_the_next_message_begins() {
    root_or_fail();
    let lan = Lan::bridged();
    let agent = watch(&lan);
    let mut talk = Conversation::over(&lan);
    let head = |line: &str, more: &str| {
        format!("{line} HTTP/1.1\r\nHost: test\r\nX-Request-Id: {more}\r\n\r\n")
    };
    let status =
        |line: &str, more: &str| format!("HTTP/1.1 {line}\r\nX-Request-Id: {more}\r\n\r\n");
    talk.request(head("POST /chunked", "1\r\nTransfer-Encoding: chunked"));
    talk.request("5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-Trailer: yes\r\n\r\n");
    talk.response(ok("1"));
    talk.request(head("HEAD /head", "2"));
    talk.response(status("200 OK", "2\r\nContent-Length: 1000"));
    talk.request(head("PUT /continue", "3\r\nExpect: 100-continue\r\nContent-Length: 4"));
    talk.response("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n");
    talk.response("HTTP/1.1 100 Continue\r\n\r\n");
    talk.request("body");
    talk.response(status("204 No Content", "3"));
    talk.request(head("GET /cached", "4"));
    talk.response(status("304 Not Modified", "4\r\nContent-Length: 99"));
    talk.exchange("5");
    talk.request(head("GET /until-close", "6"));
    talk.response(status("200 OK", "6\r\nConnection: close"));
    talk.response("x".repeat(5000));
    talk.server.shutdown(Shutdown::Both).expect("it is open");
    assert_eq!(talk.client.read(&mut [0]).ok(), Some(0), "the server has closed");
    let ended = agent.stop();
    let served = served(&ended, talk.port);
    assert_eq!(paths(&served), ["/chunked", "/head", "/continue", "/cached", "/5", "/until-close"]);
    let statuses: Vec<_> = served.iter().filter_map(|log| log.status()).collect();
    assert_eq!(statuses, [200, 200, 204, 304, 200, 200]);
    let interim =
        served[2].attributes.get("headertap.http.interim_status").map(ToString::to_string);
    assert_eq!(interim.as_deref(), Some("[103,100]"));
    assert_eq!(served[0].number("http.request.body.size"), Some(11));
    assert_eq!(served[1].number("http.response.body.size"), Some(0), "of HEAD");
    assert_eq!(served[5].number("http.response.body.size"), Some(5000));
    assert!(served.iter().all(|log| log.text("error.type").is_none()));
}

#[test]
fn bodies_of_50_mib_are_not_copied_and_the_next_exchange_is_right() {
    root_or_fail();
    let lan = Lan::bridged();
    let agent = watch(&lan);
    let mut talk = Conversation::over(&lan);
    let length = format!("X-Request-Id: up\r\nContent-Length: {}\r\n", 50 * MIB);
    talk.request(get("up").replace("X-Request-Id: up\r\n", &length));
    talk.request(vec![b'x'; 50 * MIB]);
    talk.response(ok("up"));
    talk.exchange("between");
    talk.request(get("down"));
    talk.response(ok("down").replace("Length: 2", &format!("Length: {}", 50 * MIB + 2)));
    talk.response(vec![b'x'; 50 * MIB]);
    talk.exchange("after");
    let ended = agent.stop();
    let served = served(&ended, talk.port);
    assert_eq!(paths(&served), ["/up", "/between", "/down", "/after"]);
    assert_eq!(served[0].number("http.request.body.size"), i64::try_from(50 * MIB).ok());
    assert_eq!(served[2].number("http.response.body.size"), i64::try_from(50 * MIB + 2).ok());
    let segments = ended.account().row("segments").seen;
    println!("{segments} segments of 100 MiB were copied");
    assert!(segments < 200, "{segments} segments of 100 MiB were copied");
}

#[test]
fn an_agent_that_joins_late_picks_up_at_the_next_message_and_knows_the_owners() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let mut client = connect(&lan.client, &lan.server_v4(), nginx.port);
    ask(&mut client, &get("before"));
    let agent = watch(&lan);
    ask(&mut client, &get("after"));
    let ended = agent.stop();
    let served = served(&ended, nginx.port);
    assert_eq!(paths(&served), ["/after"]);
    assert!(nginx.workers().contains(&served[0].pid().expect("its process is known")));
    let mut logs = ended.records.exchanges(nginx.port);
    logs.retain(|log| log.role() == Some("client"));
    assert_eq!(logs.iter().map(|log| log.pid()).collect::<Vec<_>>(), [Some(std::process::id())]);
    let joined = logs[0].attributes.get("headertap.connection.truncated_start");
    assert_eq!(joined, Some(&serde_json::Value::Bool(true)));
}

#[test]
fn an_agent_that_joins_within_a_body_picks_up_at_the_next_message() {
    root_or_fail();
    let lan = Lan::bridged();
    let mut talk = Conversation::over(&lan);
    talk.request(get("before"));
    talk.response(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 10 * MIB));
    talk.response(vec![b'x'; 5 * MIB]);
    let agent = watch(&lan);
    talk.response(vec![b'x'; 5 * MIB]);
    for n in 0..5 {
        talk.exchange(&n.to_string());
    }
    let ended = agent.stop();
    let mut logs = ended.records.exchanges(talk.port);
    ended.account().assert_closed();
    logs.retain(|log| log.text("url.path").is_some());
    logs.sort_by_key(|log| log.number("headertap.http.request_index"));
    assert_paired_right(&ids_of(&logs));
    assert_eq!(paths(&logs), ["/0", "/1", "/2", "/3", "/4"]);
    assert!(logs.iter().all(|log| log.status() == Some(200)), "{logs:#?}");
}
