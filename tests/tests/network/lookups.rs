//! DNS on real networks: dig, the C library's resolver and dnsmasq, watched live.

use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;

use e2e::agent::{Agent, Start};
use e2e::lan::Lan;
use e2e::netns::Netns;
use e2e::records::Record;
use e2e::resolver::{ADDRESS, LARGE, LARGE_RECORDS, MISSING, Resolver, dig};
use e2e::{port, root_or_fail, run, sh, wait_for};

fn watch(lan: &Lan) -> Agent {
    Start::new(None).interfaces(lan.interface_names()).json().ready()
}

/// The records of lookups of this name, once there are so many.
fn lookups(agent: &Agent, name: &str, count: usize) -> Vec<Record> {
    wait_for(&format!("{count} lookups of {name}"), || {
        let found = of_name(agent, name);
        (found.len() >= count).then_some(found)
    })
}

fn of_name(agent: &Agent, name: &str) -> Vec<Record> {
    let records = agent.records().logs.into_iter();
    let lookups = records.filter(|log| log.name == "headertap.dns.lookup");
    lookups.filter(|log| log.text("dns.question.name") == Some(name)).collect()
}

fn view<'a>(records: &'a [Record], role: &str) -> &'a Record {
    let mut of_role = records.iter().filter(|record| record.role() == Some(role));
    let (first, more) = (of_role.next(), of_role.count());
    assert_eq!(more, 0, "one record of the {role}: {records:#?}");
    first.unwrap_or_else(|| panic!("a record of the {role}: {records:#?}"))
}

/// Three interfaces of the host see each datagram, and each end is a process of this host.
#[test]
fn a_lookup_is_told_once_for_each_end_whatever_carries_it() {
    root_or_fail();
    let lan = Lan::bridged();
    for port in [53, port()] {
        let resolver = Resolver::start(&lan.server, port);
        let agent = watch(&lan);
        let (v4, v6) = (lan.server_v4(), lan.server_v6());
        for (name, server, option, transport) in [
            ("udp4.test", &v4, "+notcp", "udp"),
            ("udp6.test", &v6, "+notcp", "udp"),
            ("tcp4.test", &v4, "+tcp", "tcp"),
            ("tcp6.test", &v6, "+tcp", "tcp"),
        ] {
            let asked = dig(&lan.client, &format!("@{server} -p {port} {name} A {option}"));
            assert!(asked.output.contains(ADDRESS), "{}", asked.output);
            let records = lookups(&agent, name, 2);
            assert_eq!(records.len(), 2, "{name}: {records:#?}");
            assert_eq!(view(&records, "client").pid(), Some(asked.pid), "{name}");
            assert_eq!(view(&records, "server").pid(), Some(resolver.pid()), "{name}");
            for record in &records {
                assert_eq!(record.text("network.transport"), Some(transport));
                assert_eq!(record.text("network.protocol.name"), Some("dns"));
                assert_eq!(record.text("server.address"), Some(server.as_str()));
                assert_eq!(record.number("server.port"), Some(port.into()));
                assert_eq!(record.text("headertap.dns.response.code"), Some("NOERROR"));
                assert_eq!(record.text("dns.answers"), Some(ADDRESS));
                assert_eq!(record.text("headertap.dns.question.type"), Some("A"));
                assert_eq!(record.text("headertap.dns.query.edns.options"), Some("COOKIE"));
                assert!(record.number("headertap.dns.duration_ns").is_some_and(|ns| ns > 0));
            }
        }
        let ended = agent.stop();
        ended.account().assert_lossless();
        assert_eq!(ended.account().row("dns").seen, 4);
    }
}

#[test]
fn a_name_that_there_is_not_is_an_error_of_that_name() {
    root_or_fail();
    let lan = Lan::bridged();
    let resolver = Resolver::start(&lan.server, port());
    let agent = watch(&lan);
    let at = format!("@{} -p {}", lan.server_v4(), resolver.port);
    let asked = dig(&lan.client, &format!("{at} {MISSING} A"));
    assert!(asked.output.contains("NXDOMAIN"), "{}", asked.output);
    let records = lookups(&agent, MISSING, 2);
    let client = view(&records, "client");
    assert_eq!(client.text("error.type"), Some("NXDOMAIN"));
    assert_eq!(client.json["severityNumber"].as_u64(), Some(9));
}

/// The answer does not fit 512 bytes, so dig asks again over TCP; it fits a large datagram.
#[test]
fn a_large_answer_is_read_however_it_comes() {
    root_or_fail();
    let lan = Lan::bridged();
    let resolver = Resolver::start(&lan.server, port());
    let agent = watch(&lan);
    let at = format!("@{} -p {}", lan.server_v4(), resolver.port);
    let asked = dig(&lan.client, &format!("{at} {LARGE} TXT +bufsize=512"));
    assert_eq!(asked.output.matches("\"0-xxx").count(), 1, "{}", asked.output);
    let records = lookups(&agent, LARGE, 4);
    let of = |transport| {
        let of_transport = |record: &&Record| record.text("network.transport") == Some(transport);
        view(&records.iter().filter(of_transport).cloned().collect::<Vec<_>>(), "client").clone()
    };
    assert_eq!(of("udp").attributes["headertap.dns.truncated"], true);
    let whole = of("tcp");
    assert_eq!(whole.attributes.get("headertap.dns.truncated"), None);
    assert_eq!(answers(&whole), LARGE_RECORDS);
    drop(agent);

    // In fragments: the first is read.
    let agent = watch(&lan);
    let asked = dig(&lan.client, &format!("{at} {LARGE} TXT +bufsize=4096"));
    assert!(asked.output.contains("\"11-xxx"), "{}", asked.output);
    let records = lookups(&agent, LARGE, 2);
    let cut = view(&records, "server");
    assert_eq!(cut.text("headertap.dns.incomplete"), Some("gap"));
    assert!((1..LARGE_RECORDS).contains(&answers(cut)), "{cut:#?}");
    assert_eq!(cut.pid(), Some(resolver.pid()));
    drop(agent);

    // In one datagram.
    for netns in [&lan.client, &lan.server] {
        netns.sh("ip link set eth0 mtu 9000");
    }
    for name in lan.interface_names() {
        sh(&format!("ip link set {name} mtu 9000"));
    }
    let agent = watch(&lan);
    let asked = dig(&lan.client, &format!("{at} {LARGE} TXT +bufsize=4096"));
    assert!(asked.output.contains("\"11-xxx"), "{}", asked.output);
    let records = lookups(&agent, LARGE, 2);
    let whole = view(&records, "client");
    assert_eq!((answers(whole), whole.text("headertap.dns.incomplete")), (LARGE_RECORDS, None));
}

fn answers(record: &Record) -> usize {
    record.attributes["headertap.dns.answer.data"].as_array().map_or(0, Vec::len)
}

/// `/etc/resolv.conf` of whoever runs in a namespace by `ip netns exec`; deleted when dropped.
struct ResolvConf(PathBuf);

impl ResolvConf {
    fn new(netns: &Netns, server: &str) -> Self {
        let folder = PathBuf::from("/etc/netns").join(netns.name());
        fs::create_dir_all(&folder).expect("root may write to /etc");
        fs::write(folder.join("resolv.conf"), format!("nameserver {server}\n")).expect("as well");
        Self(folder)
    }
}

impl Drop for ResolvConf {
    fn drop(&mut self) {
        let _deleted = fs::remove_dir_all(&self.0);
    }
}

/// The C library sends both queries from one socket before it waits.
#[test]
fn the_c_librarys_two_queries_on_one_socket_are_two_lookups() {
    root_or_fail();
    let lan = Lan::bridged();
    let _resolver = Resolver::start(&lan.server, 53);
    let _conf = ResolvConf::new(&lan.client, &lan.server_v4());
    let agent = watch(&lan);
    let mut getent = std::process::Command::new("ip");
    getent.args(["netns", "exec", lan.client.name(), "getent", "ahosts", "both.test"]);
    let printed = run(&mut getent);
    assert!(printed.contains(ADDRESS) && printed.contains("2001:db8::7"), "{printed}");
    let records = lookups(&agent, "both.test", 4);
    let clients: Vec<_> = records.iter().filter(|r| r.role() == Some("client")).collect();
    let mut types: Vec<_> =
        clients.iter().filter_map(|r| r.text("headertap.dns.question.type")).collect();
    types.sort_unstable();
    assert_eq!(types, ["A", "AAAA"]);
    let [one, other] = clients[..] else { panic!("two lookups: {clients:#?}") };
    assert_eq!(one.number("client.port"), other.number("client.port"), "one socket");
    assert_eq!(one.resource_text("process.executable.name"), Some("getent"));
    assert_eq!(one.pid(), other.pid());
}

#[test]
fn a_query_that_nobody_answers_is_a_timeout() {
    root_or_fail();
    let lan = Lan::bridged();
    let port = port();
    let address = format!("{}:{port}", lan.server_v4());
    let silent = lan.server.inside(|| UdpSocket::bind(&address)).expect("a free port");
    let agent = watch(&lan);
    let at = format!("@{} -p {port}", lan.server_v4());
    let asked = dig(&lan.client, &format!("{at} silent.test A +tries=2 +time=1"));
    let records = lookups(&agent, "silent.test", 2);
    for record in &records {
        assert_eq!(record.text("error.type"), Some("timeout"));
        assert_eq!((record.role(), record.pid()), (Some("client"), Some(asked.pid)));
        assert_eq!(record.text("headertap.dns.response.code"), None);
    }
    drop(silent);
    agent.stop().account().assert_lossless();
}

/// Sends an announcement to the group, as a responder does.
const ANNOUNCE: &str = "
use IO::Socket::INET;
my $socket = IO::Socket::INET->new(
    Proto => 'udp', LocalPort => 5353, PeerAddr => '224.0.0.251', PeerPort => 5353) or die $!;
my $name = pack('C/a C/a C/a C', 'printer', '_ipp', 'local', 0);
$socket->send(pack('n6', 0, 0x8400, 0, 1, 0, 0) . $name . pack('n n N n a4', 1, 0x8001, 120, 4,
    pack('C4', 192, 0, 2, 9))) or die $!;
";

#[test]
fn multicast_dns_is_told_message_by_message() {
    root_or_fail();
    let lan = Lan::bridged();
    for netns in [&lan.client, &lan.server] {
        netns.sh("ip route add 224.0.0.0/4 dev eth0");
    }
    let agent = watch(&lan);
    let asked = dig(&lan.client, "@224.0.0.251 -p 5353 printer.local A +tries=1 +time=1");
    let announcer = lan.server.command("perl").args(["-e", ANNOUNCE]).spawn();
    let mut announcer = announcer.expect("Perl is a part of Debian");
    let pid = announcer.id();
    assert!(announcer.wait().expect("it is our child").success());
    let queries = lookups(&agent, "printer.local", 1);
    let query = view(&queries, "client");
    assert_eq!(query.pid(), Some(asked.pid));
    assert_eq!(query.text("network.protocol.name"), Some("mdns"));
    assert_eq!((query.text("error.type"), query.text("headertap.dns.incomplete")), (None, None));
    let announcement = wait_for("the announcement", || {
        let records = agent.records().logs.into_iter();
        let mut servers = records.filter(|log| log.role() == Some("server"));
        servers.find(|log| log.text("dns.answers") == Some("192.0.2.9"))
    });
    assert_eq!(announcement.pid(), Some(pid));
    assert_eq!(announcement.text("headertap.dns.answer.names"), Some("printer._ipp.local"));
    assert_eq!(announcement.text("headertap.dns.answer.data"), Some("192.0.2.9"));
    let flush = &announcement.attributes["headertap.dns.answer.cache_flush"];
    assert_eq!(*flush, serde_json::json!([1]));
    let ended = agent.stop();
    ended.account().assert_closed();
    assert_eq!(ended.account().row("dns").exported, 2, "each was seen three times, and told once");
}

#[test]
fn many_lookups_are_all_told_and_other_datagrams_are_left_alone() {
    const LOOKUPS: u64 = 500;
    root_or_fail();
    let lan = Lan::bridged();
    let resolver = Resolver::start(&lan.server, port());
    let other = port();
    let agent = watch(&lan);
    let address = lan.server_v4();
    lan.client.inside(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a free port");
        for number in 0_u16..1000 {
            let bytes = [&number.to_be_bytes()[..], &[0x40; 200]].concat();
            // Nobody listens, so some are refused.
            let _sent = socket.send_to(&bytes, (address.as_str(), other));
        }
    });
    let names = tempfile::NamedTempFile::new().expect("a temporary file");
    let lines: String = (0..LOOKUPS).map(|number| format!("n{number}.test A\n")).collect();
    fs::write(names.path(), lines).expect("our own file");
    let at = format!("@{address} -p {}", resolver.port);
    let asked = dig(&lan.client, &format!("{at} +short -f {}", names.path().display()));
    assert_eq!(asked.output.lines().count() as u64, LOOKUPS);
    let ended = agent.stop();
    ended.account().assert_lossless();
    assert_eq!(ended.account().row("dns").exported, LOOKUPS);
    // Two messages each, seen as they come from a host, as they leave the bridge's port, and not
    // by the bridge itself, which they only pass.
    let seen = ended.account().row("datagrams").seen;
    assert_eq!(seen, 4 * LOOKUPS, "no other datagram was copied");
    let lookups = ended.records.logs.iter().filter(|log| log.name == "headertap.dns.lookup");
    let told: std::collections::BTreeSet<_> =
        lookups.filter_map(|log| log.text("dns.question.name")).collect();
    assert_eq!(told.len() as u64, LOOKUPS);
}
