//! Other tools' BPF programs: they stay, they run, and we say so when they keep us out.

use std::process::Command;

use e2e::agent::{Start, program};
use e2e::lan::Lan;
use e2e::neighbour::{self, Cgroup, Sockops, cgroup_root, filters, seen};
use e2e::netns::Interface;
use e2e::servers::Nginx;
use e2e::traffic::{ask, connect, get, ids_in_text};
use e2e::{root_or_fail, sh};

const NEIGHBOUR: &str = "neighbour_tc";

fn id_of(name: &str, interface: &str, hook: &str) -> u64 {
    let filters = filters(interface, hook);
    let found = filters.iter().find(|(filter, _)| filter == name);
    found.unwrap_or_else(|| panic!("{interface} {hook} has no {name}: {filters:?}")).1
}

#[test]
fn another_tools_clsact_filters_stay_and_run_while_we_come_and_go() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let port = lan.interfaces.first().map(Interface::name).expect("a bridged lan has ports");
    for hook in ["ingress", "egress"] {
        neighbour::filter(None, port, hook, "tc/count");
    }
    let theirs = |hook| id_of(NEIGHBOUR, port, hook);
    let before = (theirs("ingress"), theirs("egress"));
    for how in ["tcx", "clsact"] {
        let agent = Start::new(None).interfaces([port]).args(["--attach", how]).json().ready();
        assert_eq!((theirs("ingress"), theirs("egress")), before, "{how}: they stay");
        let (arrived, left) = (seen(before.0), seen(before.1));
        let mut client = connect(&lan.client, &lan.server_v4(), nginx.port);
        for n in 0..10 {
            ask(&mut client, &get(&n.to_string()));
        }
        assert!(seen(before.0) >= arrived + 10, "{how}: ingress still runs");
        assert!(seen(before.1) >= left + 10, "{how}: egress still runs");
        let ended = agent.stop();
        ended.account().assert_lossless();
        assert_eq!(ended.account().row("http").exported, 10, "{how}: we see as much");
        assert_eq!((theirs("ingress"), theirs("egress")), before, "{how}: they are still there");
        assert_eq!(filters(port, "egress").len(), 1, "{how}: only they are");
    }
    assert!(sh(&format!("tc qdisc show dev {port}")).contains("clsact"), "the qdisc is theirs");
}

/// The other tool with tcx programs is another headertap.
#[test]
fn another_tools_tcx_programs_stay_and_run_while_we_come_and_go() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let watch = || {
        Start::new(None)
            .interfaces(lan.interface_names())
            .args(["--attach", "tcx", "--output", "text"])
            .ready()
    };
    let other = watch();
    let links = neighbour::held(other.pid(), "link_id");
    let mut client = connect(&lan.client, &lan.server_v4(), nginx.port);
    let ours = watch();
    for n in 0..10 {
        ask(&mut client, &get(&n.to_string()));
    }
    let ended = ours.stop();
    assert_eq!(ids_in_text(&ended.stdout).len(), 10);
    let left = neighbour::links();
    assert!(links.iter().all(|link| left.contains(link)), "its links are still there");
    for n in 10..20 {
        ask(&mut client, &get(&n.to_string()));
    }
    let ended = other.stop();
    ended.account().assert_lossless();
    assert_eq!(ids_in_text(&ended.stdout).len(), 20, "it has seen everything");
}

#[test]
fn another_tools_sockops_program_stays_and_runs_while_we_come_and_go() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let other = Sockops::attach(&cgroup_root(), "multi");
    let agent = Start::new(None).interfaces(lan.interface_names()).json().ready();
    assert!(other.is_attached());
    let before = seen(other.program);
    for n in 0..10 {
        ask(&mut connect(&lan.client, &lan.server_v4(), nginx.port), &get(&n.to_string()));
    }
    assert!(seen(other.program) >= before + 20, "it is called for both ends of each connection");
    let ended = agent.stop();
    ended.account().assert_lossless();
    assert_eq!(ended.account().row("http").exported, 10);
    assert_eq!(ended.records.events("headertap.connection.open", nginx.port).len(), 20);
    assert!(other.is_attached(), "it is still there");
}

/// In a cgroup of its own, which our headertap takes for the root, as it is the only one that it
/// sees mounted: at the real root, everyone else's programs would be kept out as well.
#[test]
fn a_sockops_program_that_lets_no_other_in_is_named() {
    root_or_fail();
    let cgroup = Cgroup::new();
    let _other = Sockops::attach(cgroup.path(), "");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = "mount --bind \"$1\" \"$2\" && umount -l \"$3\" && exec \"$4\" run";
    let mut headertap = Command::new("unshare");
    headertap.args(["--mount", "sh", "-c", script, "sh"]).arg(cgroup.path()).arg(folder.path());
    let refused = headertap.arg(cgroup_root()).arg(program()).output().expect("unshare is there");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "one line: {said}");
    assert!(said.contains("sockops") && said.contains("BPF_F_ALLOW_MULTI"), "{said}");
}
