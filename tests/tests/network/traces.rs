//! Who took part, and whose span is whose parent.

use std::net::TcpListener;

use e2e::agent::Start;
use e2e::netns::Netns;
use e2e::records::Record;
use e2e::root_or_fail;
use e2e::servers::{self, Nginx, Perl};
use e2e::traffic::{ask, connect, get};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const SERVER: u64 = 2;
const CLIENT: u64 = 3;

fn traced() -> String {
    let end = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n\r\n");
    get("traced").replacen("\r\n\r\n", &format!("\r\n{end}"), 1)
}

/// The only span of this kind.
fn only<'a>(spans: &[&'a Record], kind: u64) -> &'a Record {
    let spans: Vec<_> = spans.iter().filter(|span| span.kind == kind).collect();
    assert_eq!(spans.len(), 1, "spans of kind {kind}: {spans:#?}");
    spans[0]
}

#[test]
fn both_ends_of_this_host_have_a_record_and_a_span_under_their_own_process() {
    root_or_fail();
    let host = Netns::new();
    let nginx = Nginx::start(&host);
    let agent = Start::new(Some(&host)).json().ready();
    ask(&mut connect(&host, "127.0.0.1", nginx.port), &get("1"));
    let ended = agent.stop();
    ended.account().assert_lossless();
    assert_eq!(ended.account().row("http").seen, 1, "one exchange, whoever saw it");
    let mut logs = ended.records.exchanges(nginx.port);
    logs.sort_by_key(|log| log.role().map(str::to_owned));
    let whose: Vec<_> = logs.iter().map(|log| (log.role(), log.pid())).collect();
    let client = (Some("client"), Some(std::process::id()));
    assert_eq!(whose, [client, (Some("server"), Some(nginx.pid()))]);
    assert_eq!(logs[1].resource_text("process.executable.name"), Some("nginx"));
    let spans = ended.records.spans_of(nginx.port);
    let (client, server) = (only(&spans, CLIENT), only(&spans, SERVER));
    assert_eq!(server.parent_span_id, client.span_id, "the client's span is the parent");
    assert_eq!(server.trace_id, client.trace_id);
    assert_eq!(client.parent_span_id, "", "nobody asked before the client");
    assert_eq!((client.pid(), server.pid()), (logs[0].pid(), logs[1].pid()));
    assert_eq!((&logs[0].span_id, &logs[1].span_id), (&client.span_id, &server.span_id));
}

#[test]
fn a_traceparent_is_the_parent_of_the_clients_span() {
    root_or_fail();
    let host = Netns::new();
    let nginx = Nginx::start(&host);
    let agent = Start::new(Some(&host)).json().ready();
    ask(&mut connect(&host, "127.0.0.1", nginx.port), &traced());
    let ended = agent.stop();
    let spans = ended.records.spans_of(nginx.port);
    let (client, server) = (only(&spans, CLIENT), only(&spans, SERVER));
    assert_eq!((client.trace_id.as_str(), client.parent_span_id.as_str()), (TRACE, PARENT));
    assert_eq!((server.trace_id.as_str(), &server.parent_span_id), (TRACE, &client.span_id));
}

#[test]
fn what_a_proxy_asks_is_a_child_of_what_it_was_asked() {
    root_or_fail();
    let host = Netns::new();
    let origin = Nginx::start(&host);
    let pass = format!("location /traced {{ proxy_pass http://127.0.0.1:{}; }}", origin.port);
    let proxy = servers::Start::new(Some(&host)).server(&pass).start();
    let agent = Start::new(Some(&host)).json().ready();
    ask(&mut connect(&host, "127.0.0.1", proxy.port), &traced());
    let ended = agent.stop();
    ended.account().assert_lossless();
    let inbound = ended.records.spans_of(proxy.port);
    let outbound = ended.records.spans_of(origin.port);
    let (asked, asks) = (only(&inbound, SERVER), only(&outbound, CLIENT));
    assert_eq!(asks.parent_span_id, asked.span_id, "in {inbound:#?} out {outbound:#?}");
    assert_eq!(asks.trace_id, TRACE);
    assert_eq!(only(&outbound, SERVER).parent_span_id, asks.span_id);
}

#[test]
fn an_instrumented_server_has_a_log_record_and_no_span_of_ours() {
    root_or_fail();
    let host = Netns::new();
    let server = Perl::start(&host, ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"));
    let agent = Start::new(Some(&host)).json().ready();
    ask(&mut connect(&host, "127.0.0.1", server.port), &traced());
    let ended = agent.stop();
    ended.account().assert_lossless();
    let spans = ended.records.spans_of(server.port);
    assert_eq!(spans.len(), 1, "the client's, which has no SDK: {spans:#?}");
    let client = only(&spans, CLIENT);
    assert_eq!(client.parent_span_id, PARENT);
    let logs = ended.records.exchanges(server.port);
    let server = logs.iter().find(|log| log.role() == Some("server")).expect("its log is kept");
    assert_eq!(server.trace_id, TRACE);
    assert_eq!(server.span_id, PARENT, "the header's, which its SDK knows");
}

/// headertap hears of the sockets of every namespace, but these are of another network.
#[test]
fn the_same_addresses_in_another_namespace_are_another_connection() {
    root_or_fail();
    let (here, there) = (Netns::new(), Netns::new());
    let nginx = Nginx::start(&here);
    let agent = Start::new(Some(&here)).json().ready();
    let mut asked = connect(&here, "127.0.0.1", nginx.port);
    ask(&mut asked, &get("1"));
    let source = asked.local_addr().expect("it is connected").port();
    let listener = there.inside(|| TcpListener::bind(("127.0.0.1", nginx.port)));
    let listener = listener.expect("nobody listens there");
    let range = format!("{source} {source}");
    there
        .inside(|| std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", range))
        .expect("root may write it");
    let twin = connect(&there, "127.0.0.1", nginx.port);
    assert_eq!(twin.local_addr().map(|at| at.port()).ok(), Some(source));
    drop((twin, listener));
    ask(&mut asked, &get("2"));
    let ended = agent.stop();
    let logs = ended.records.exchanges(nginx.port);
    let whose: Vec<_> = logs.iter().map(|log| (log.path(), log.role(), log.pid())).collect();
    assert_eq!(whose.len(), 4, "{whose:?}");
    let servers = whose.iter().filter(|(_, role, _)| *role == Some("server"));
    let pids: Vec<_> = servers.filter_map(|(_, _, pid)| *pid).collect();
    assert_eq!(pids, [nginx.pid(), nginx.pid()], "{whose:?}");
}
