//! sent == exported: under load, over every kind of wire, on every kind of hook.

use std::time::Duration;

use e2e::agent::{Agent, Start};
use e2e::lan::Lan;
use e2e::netns::Netns;
use e2e::root_or_fail;
use e2e::servers::Nginx;
use e2e::traffic::{assert_each_once, ids_in_text, wrk};

const CONNECTIONS: u32 = 64;
const MOMENT: Duration = Duration::from_secs(1);

fn watch(netns: Option<&Netns>, lan: &Lan) -> Start {
    let names = if netns.is_some() { Vec::new() } else { lan.interface_names() };
    Start::new(netns).interfaces(names).args(["--output", "text"])
}

/// Loads the server, and fails unless `agent` exported every request once and lost nothing.
fn assert_all_exported(agent: Agent, nginx: &Nginx, client: &Netns, host: &str, time: Duration) {
    wrk(client, &format!("http://{host}:{}/", nginx.port), CONNECTIONS, time);
    let ended = agent.stop();
    ended.account().assert_lossless();
    let exchanges = ids_in_text(&ended.stdout);
    assert_eq!(ended.account().row("http").exported, exchanges.len() as u64);
    let sent = assert_each_once(&exchanges, &nginx.access_log());
    println!("{sent} requests, {} exported", exchanges.len());
}

#[test]
fn every_request_of_a_full_load_over_a_bridge_is_exported_once() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let agent = watch(None, &lan).ready();
    assert_all_exported(agent, &nginx, &lan.client, &lan.server_v4(), 4 * MOMENT);
}

#[test]
fn every_request_over_one_port_of_a_bridge_is_exported_once() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let agent =
        Start::new(None).interfaces([lan.interfaces[0].name()]).args(["--output", "text"]).ready();
    assert_all_exported(agent, &nginx, &lan.client, &lan.server_v4(), MOMENT);
}

#[test]
fn every_request_on_the_loopback_is_exported_once() {
    root_or_fail();
    let host = Netns::new();
    let nginx = Nginx::start(&host);
    let agent = Start::new(Some(&host)).args(["--output", "text"]).ready();
    assert_all_exported(agent, &nginx, &host, "127.0.0.1", 2 * MOMENT);
}

#[test]
fn every_request_over_ipv6_is_exported_once() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let agent = watch(None, &lan).ready();
    assert_all_exported(agent, &nginx, &lan.client, &format!("[{}]", lan.server_v6()), MOMENT);
}

#[test]
fn a_router_exports_what_it_forwards_once() {
    root_or_fail();
    let (lan, router) = Lan::routed();
    let nginx = Nginx::start(&lan.server);
    let agent = watch(Some(&router), &lan).ready();
    assert_all_exported(agent, &nginx, &lan.client, &lan.server_v4(), MOMENT);
}

#[test]
fn a_router_exports_what_it_forwards_over_ipv6_once() {
    root_or_fail();
    let (lan, router) = Lan::routed();
    let nginx = Nginx::start(&lan.server);
    let agent = watch(Some(&router), &lan).ready();
    assert_all_exported(agent, &nginx, &lan.client, &format!("[{}]", lan.server_v6()), MOMENT);
}

#[test]
fn a_client_exports_what_it_asks_over_a_router_once() {
    root_or_fail();
    let (lan, _router) = Lan::routed();
    let nginx = Nginx::start(&lan.server);
    let agent = watch(Some(&lan.client), &lan).ready();
    assert_all_exported(agent, &nginx, &lan.client, &lan.server_v4(), MOMENT);
}

#[test]
fn a_server_exports_what_it_is_asked_over_a_veth_once() {
    root_or_fail();
    let lan = Lan::direct();
    let nginx = Nginx::start(&lan.server);
    let agent = watch(Some(&lan.server), &lan).ready();
    assert_all_exported(agent, &nginx, &lan.client, &lan.server_v4(), MOMENT);
}

#[test]
fn every_request_is_exported_once_by_tcx() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let agent = watch(None, &lan).args(["--attach", "tcx"]).ready();
    assert_all_exported(agent, &nginx, &lan.client, &lan.server_v4(), MOMENT);
}

#[test]
fn every_request_is_exported_once_by_clsact() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let agent = watch(None, &lan).args(["--attach", "clsact"]).ready();
    assert_all_exported(agent, &nginx, &lan.client, &lan.server_v4(), MOMENT);
}

#[test]
fn every_request_on_a_tagged_wire_is_exported_once() {
    root_or_fail();
    for twice in [false, true] {
        let lan = Lan::tagged(twice);
        let nginx = Nginx::start(&lan.server);
        let agent = watch(None, &lan).ready();
        assert_all_exported(agent, &nginx, &lan.client, &lan.server_v4(), MOMENT);
    }
}

#[test]
fn an_interface_and_the_one_it_stands_on_export_every_request_once() {
    root_or_fail();
    let lan = Lan::stacked();
    let nginx = Nginx::start(&lan.server);
    let agent = watch(Some(&lan.server), &lan).ready();
    assert_all_exported(agent, &nginx, &lan.client, &lan.server_v4(), MOMENT);
}
