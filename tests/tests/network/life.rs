//! How headertap begins and ends, and what it leaves on the host: nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::time::Instant;

use e2e::agent::{Start, program};
use e2e::lan::Lan;
use e2e::neighbour::{filters, held, links, programs};
use e2e::netns::{Interface, Netns};
use e2e::servers::Nginx;
use e2e::traffic::{ask, connect, get};
use e2e::{root_or_fail, sh, wait_for};
use rustix::process::Signal;

/// sockops, sock_create, post_bind4, post_bind6, connect4 and connect6.
const CGROUP_LINKS: usize = 6;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn after_sigterm_nothing_of_ours_is_attached() {
    root_or_fail();
    for how in ["tcx", "clsact"] {
        let lan = Lan::bridged();
        let agent = Start::new(None)
            .interfaces(lan.interface_names())
            .args(["--attach", how])
            .json()
            .ready();
        let (our_links, our_programs) =
            (held(agent.pid(), "link_id"), held(agent.pid(), "prog_id"));
        let port = lan.interfaces[0].name();
        let names: Vec<_> = filters(port, "egress").into_iter().map(|(name, _)| name).collect();
        if how == "tcx" {
            assert!(our_links.len() >= CGROUP_LINKS + 2 * 3, "cgroup and tcx: {our_links:?}");
        } else {
            assert_eq!(names, ["tc_egress"]);
            assert_eq!(our_links.len(), CGROUP_LINKS, "cgroup: {our_links:?}");
        }
        assert!(links().iter().any(|id| our_links.contains(id)), "bpftool knows our links");
        agent.stop().account().assert_lossless();
        let left: Vec<_> = links().into_iter().filter(|id| our_links.contains(id)).collect();
        assert!(left.is_empty(), "links are left: {left:?}");
        // The kernel frees a program a moment after its last user is gone.
        wait_for("our programs to be gone", || {
            programs().iter().all(|id| !our_programs.contains(id)).then_some(())
        });
        for hook in ["ingress", "egress"] {
            assert_eq!(filters(port, hook), [], "{how} {hook}");
        }
    }
}

#[test]
fn filters_that_sigkill_left_are_cleaned_by_the_next_start() {
    root_or_fail();
    let lan = Lan::bridged();
    let port = lan.interfaces[0].name();
    let watch = || Start::new(None).interfaces(lan.interface_names()).json();
    let _ended = watch().args(["--attach", "clsact"]).ready().kill();
    assert_eq!(filters(port, "egress").len(), 1, "clsact filters outlive the process");
    let agent = watch().args(["--attach", "tcx"]).ready();
    for hook in ["ingress", "egress"] {
        assert_eq!(filters(port, hook), [], "{hook}");
    }
    let nginx = Nginx::start(&lan.server);
    ask(&mut connect(&lan.client, &lan.server_v4(), nginx.port), &get("1"));
    let ended = agent.stop();
    ended.account().assert_lossless();
    assert_eq!(ended.account().row("http").exported, 1);
}

#[test]
fn sigterm_sends_what_is_left() {
    root_or_fail();
    let host = Netns::new();
    let nginx = Nginx::start(&host);
    let agent = Start::new(Some(&host)).json().ready();
    let mut client = connect(&host, "127.0.0.1", nginx.port);
    for n in 0..200 {
        ask(&mut client, &get(&n.to_string()));
    }
    // At once: most of it is still in the ring.
    let ended = agent.stop();
    ended.account().assert_lossless();
    assert_eq!(ended.account().row("http").exported, 200);
    assert_eq!(ended.records.exchanges(nginx.port).len(), 2 * 200, "a record for each end");
}

#[test]
fn a_second_sigint_ends_at_once() {
    root_or_fail();
    let host = Netns::new();
    let nginx = Nginx::start(&host);
    // Nobody listens there, so the end would wait for a collector.
    let mut agent = Start::new(Some(&host))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        .args(["--output", "otlp"])
        .ready();
    ask(&mut connect(&host, "127.0.0.1", nginx.port), &get("1"));
    let ours = held(agent.pid(), "link_id");
    agent.signal(Signal::INT);
    wait_for("headertap to detach", || links().iter().all(|id| !ours.contains(id)).then_some(()));
    assert!(agent.ended().is_none(), "it waits for the collector");
    let second = Instant::now();
    agent.signal(Signal::INT);
    let ended = agent.wait();
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    assert!(second.elapsed().as_secs() < 2, "{:?}", second.elapsed());
}

#[test]
fn duration_ends_it_in_order() {
    root_or_fail();
    let host = Netns::new();
    let ended = Start::new(Some(&host)).args(["--duration", "300ms"]).json().ready().wait();
    assert!(ended.status.success(), "{}: {}", ended.status, ended.stderr);
    ended.account().assert_lossless();
}

/// Runs headertap to its end, which must be a failure.
fn refused(command: &mut Command) -> String {
    let Output { status, stderr, .. } = command.output().expect("headertap was built");
    let stderr = text(&stderr);
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "one line: {stderr}");
    stderr
}

#[test]
fn without_root_one_line_says_what_is_missing() {
    root_or_fail();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let everyone = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), everyone).expect("our own folder");
    let copy = folder.path().join("headertap");
    fs::copy(program(), &copy).expect("headertap was built");
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]);
    let said = refused(nobody.arg(copy).arg("run"));
    assert!(said.contains("CAP_BPF") && said.contains("root"), "{said}");
}

#[test]
fn an_interface_glob_that_fits_nothing_is_an_error() {
    root_or_fail();
    let said = refused(Command::new(program()).args(["run", "--interface", "no-such*"]));
    assert!(said.contains("no interface") && said.contains("--interface"), "{said}");
}

#[test]
fn an_interface_that_appears_later_is_attached_without_a_restart() {
    root_or_fail();
    let (first, second) = (Netns::new(), Netns::new());
    let old = Interface::veth(&first);
    let new_name = Interface::unused_name();
    let agent = Start::new(None).interfaces([old.name(), &new_name]).json().ready();
    assert!(!agent.stderr().contains(&new_name), "it is not there yet");
    let new = Interface::named_veth(&new_name, &second);
    let nginx = Nginx::start(&second);
    let number = std::process::id() % 250;
    sh(&format!("ip address add 198.51.{number}.1/30 dev {}", new.name()));
    second.sh(&format!("ip address add 198.51.{number}.2/30 dev eth0"));
    let host = format!("198.51.{number}.2");
    let url = format!("http://{host}:{}/", nginx.port);
    // Attaching takes a moment; from the first exchange on, every one is exported.
    let exported = || agent.records().exchanges(nginx.port).len();
    wait_for("an exchange over the new interface", || {
        sh(&format!("curl -sS -o /dev/null {url}"));
        (exported() > 0).then_some(())
    });
    for n in 0..20 {
        sh(&format!("curl -sS -o /dev/null {url} -H X-Request-Id:late-{n}"));
    }
    let ended = agent.stop();
    ended.account().assert_lossless();
    for n in 0..20 {
        let id = format!("late-{n}");
        let exchanges = ended.records.exchanges(nginx.port);
        let mut of_id = exchanges.iter().filter(|e| e.request_header("x-request-id") == Some(&id));
        assert!(of_id.any(|exchange| exchange.status() == Some(200)), "{id}");
    }
}
