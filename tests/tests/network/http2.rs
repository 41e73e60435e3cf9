//! HTTP/2 without TLS: nginx, nghttpd and nghttpx, asked by curl, nghttp and h2load.

use std::fs;
use std::process::{Child, Stdio};

use e2e::agent::{Agent, Ended, Start};
use e2e::lan::Lan;
use e2e::records::Record;
use e2e::servers::{self, Nginx};
use e2e::{port, root_or_fail, run, wait_for};

fn watch(lan: &Lan) -> Agent {
    Start::new(None).interfaces(lan.interface_names()).args(["--policy", "all"]).json().ready()
}

fn nginx(lan: &Lan) -> Nginx {
    servers::Start::new(Some(&lan.server)).http2().start()
}

/// The server's view of every exchange, by stream, of a run that lost nothing.
fn served(ended: &Ended, port: u16) -> Vec<&Record> {
    ended.account().assert_lossless();
    let mut logs = ended.records.exchanges(port);
    logs.retain(|log| {
        log.role() == Some("server") && log.number("network.local.port") == Some(i64::from(port))
    });
    logs.sort_by_key(|log| log.number("headertap.http.stream_id"));
    logs
}

/// A program of nghttp2 in the server's namespace; killed when dropped.
struct Server(Child);

impl Server {
    fn start(lan: &Lan, program: &str, args: &[&str], port: u16) -> Self {
        let mut command = lan.server.command(program);
        let server = command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = Self(server.expect("nghttp2 is installed: make setup"));
        wait_for("it to listen", || {
            lan.server.inside(|| std::net::TcpStream::connect(("127.0.0.1", port))).ok()
        });
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _waited = self.0.wait();
    }
}

#[test]
fn prior_knowledge_is_told_with_every_field() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = nginx(&lan);
    let agent = watch(&lan);
    let authority = format!("{}:{}", lan.server_v4(), nginx.port);
    let url = format!("http://{authority}/items?page=2");
    let mut curl = lan.client.command("curl");
    curl.args(["-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-H", "X-Request-Id: 1"]);
    run(curl.arg(&url));
    let ended = agent.stop();
    let served = served(&ended, nginx.port);
    let [log] = served.as_slice() else { panic!("one exchange: {served:#?}") };
    for (name, value) in [
        ("http.request.method", "GET"),
        ("url.path", "/items"),
        ("url.query", "page=2"),
        ("url.scheme", "http"),
        ("network.protocol.version", "2"),
        ("http.request.header.:authority", authority.as_str()),
        ("http.request.header.:scheme", "http"),
        ("http.request.header.x-request-id", "1"),
        ("http.response.header.x-request-id", "1"),
        ("http.response.header.server", "nginx/1.22.1"),
    ] {
        let told = log.text(name).unwrap_or("nothing");
        let is_right = told == value || name.ends_with("server") && told.starts_with("nginx");
        assert!(is_right, "{name} is {told}");
    }
    assert_eq!(log.status(), Some(200));
    assert_eq!(log.number("http.request.body.size"), Some(0));
    assert_eq!(log.number("http.response.body.size"), Some(6));
    assert_eq!(log.number("headertap.http.stream_id"), Some(1));
}

#[test]
fn many_streams_at_once_are_each_an_exchange() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = nginx(&lan);
    nginx.put("large", &vec![b'x'; 100_000]);
    let agent = watch(&lan);
    let urls = ["/", "/files/large"]
        .map(|path| format!("http://{}:{}{path}", lan.server_v4(), nginx.port));
    let mut h2load = lan.client.command("h2load");
    let said = run(h2load.args(["-n", "4000", "-c", "4", "-m", "20", "-t", "1"]).args(&urls));
    assert!(said.contains("4000 succeeded"), "{said}");
    let ended = agent.stop();
    let served = served(&ended, nginx.port);
    assert_eq!(served.len(), 4000);
    for log in served {
        let (path, size) = (log.path(), log.number("http.response.body.size"));
        let is_right =
            matches!((path, size), (Some("/"), Some(6)) | (Some("/files/large"), Some(100_000)));
        assert!(is_right && log.status() == Some(200), "{log:#?}");
        assert_eq!(log.number("headertap.http.response.unknown_fields"), None);
    }
}

#[test]
fn an_upgrade_from_http1_is_one_exchange_with_its_answer() {
    root_or_fail();
    let lan = Lan::bridged();
    let backend = Nginx::start(&lan.server);
    let port = port();
    let frontend = format!("--frontend=0.0.0.0,{port};no-tls");
    let to = format!("--backend=127.0.0.1,{}", backend.port);
    let _nghttpx = Server::start(&lan, "nghttpx", &[&frontend, &to, "--workers=1"], port);
    let agent = watch(&lan);
    let url = format!("http://{}:{port}/", lan.server_v4());
    let mut curl = lan.client.command("curl");
    curl.args(["-sS", "--http2", "-o", "/dev/null", "-H", "X-Request-Id: 1", &url]);
    run(curl.args(["--next", "-sS", "--http2", "-o", "/dev/null", "-H", "X-Request-Id: 2", &url]));
    let ended = agent.stop();
    let served = served(&ended, port);
    let told: Vec<_> = served
        .iter()
        .map(|log| {
            let version = log.text("network.protocol.version").unwrap_or("-");
            let ids = (log.request_header("x-request-id"), log.response_header("x-request-id"));
            (log.number("headertap.http.stream_id"), version, ids, log.status())
        })
        .collect();
    let ids = |id| (Some(id), Some(id));
    assert_eq!(told, [(Some(1), "1.1", ids("1"), Some(200)), (Some(3), "2", ids("2"), Some(200))]);
    assert_eq!(served[0].attributes["headertap.http.interim_status"], serde_json::json!([101]));
    assert_eq!(served[0].text("headertap.http.response.protocol_version"), Some("2"));
}

#[test]
fn what_a_server_pushes_and_what_comes_behind_content_is_told() {
    root_or_fail();
    let lan = Lan::bridged();
    let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), port());
    for (name, text) in [("index.html", "<html></html>"), ("style.css", "a {}")] {
        fs::write(folder.path().join(name), text).expect("our own folder");
    }
    let htdocs = folder.path().to_str().expect("its path is UTF-8");
    let args = ["--no-tls", "-d", htdocs, "-p/index.html=/style.css", "--trailer=x-sum: 7", "-b16"];
    let port_arg = port.to_string();
    let _nghttpd = Server::start(&lan, "nghttpd", &[&args[..], &[&port_arg]].concat(), port);
    let agent = watch(&lan);
    let url = format!("http://{}:{port}/index.html", lan.server_v4());
    let mut nghttp = lan.client.command("nghttp");
    nghttp.args(["-n", "-b16", "--continuation", "-H", "x-request-id: 1", "--trailer=x-end: 8"]);
    run(nghttp.args(["-d", &format!("{htdocs}/style.css"), &url]));
    let ended = agent.stop();
    let served = served(&ended, port);
    let paths: Vec<_> = served.iter().map(|log| log.path().unwrap_or("none")).collect();
    let streams: Vec<_> =
        served.iter().filter_map(|log| log.number("headertap.http.stream_id")).collect();
    assert_eq!(paths.iter().filter(|path| **path == "/style.css").count(), 1, "{paths:?}");
    assert_eq!(streams.iter().filter(|stream| *stream % 2 == 0).count(), 1, "{streams:?}");
    let asked = served.iter().find(|log| log.path() == Some("/index.html")).expect("it was asked");
    assert_eq!(asked.request_header("x-request-id"), Some("1"));
    assert_eq!(asked.text("headertap.http.request.trailer.x-end"), Some("8"));
    assert_eq!(asked.text("headertap.http.response.trailer.x-sum"), Some("7"));
    // nghttpd numbers padding with content; ours is without.
    assert_eq!(asked.number("http.request.body.size"), Some(4));
    assert_eq!(asked.number("http.response.body.size"), Some(13));
}
