//! What goes wrong: processes and interfaces that die, and a ring that is full.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use e2e::agent::{Ended, Start};
use e2e::lan::Lan;
use e2e::netns::Interface;
use e2e::servers::{self, Nginx};
use e2e::traffic::{ask, assert_paired_right, connect, get, ids_in_text, wrk};
use e2e::{port, root_or_fail, sh, wait_for};
use rustix::process::Signal;

/// An origin that takes connections and never answers, and nginx in front of it at `/hang`.
fn hanging(lan: &Lan) -> (TcpListener, Nginx) {
    let origin = port();
    let listener = lan.server.inside(|| TcpListener::bind(("127.0.0.1", origin)));
    let hang = format!("location /hang {{ proxy_pass http://127.0.0.1:{origin}; }}");
    let nginx = servers::Start::new(Some(&lan.server)).server(&hang).start();
    (listener.expect("the port is free"), nginx)
}

fn assert_broken_off(ended: &Ended, nginx: &Nginx) {
    ended.account().assert_lossless();
    let exchanges = ended.records.exchanges(nginx.port);
    assert_eq!(exchanges.len(), 2, "one record for each end: {exchanges:#?}");
    for exchange in exchanges {
        assert_eq!(exchange.path(), Some("/hang"));
        assert_eq!(exchange.status(), None);
        let error = exchange.text("error.type").expect("it was broken off");
        assert!(["connection_closed", "connection_reset"].contains(&error), "{error}");
    }
}

#[test]
fn a_client_killed_before_the_answer_leaves_a_record_with_its_error() {
    root_or_fail();
    let lan = Lan::bridged();
    let (origin, nginx) = hanging(&lan);
    let agent = Start::new(None).interfaces(lan.interface_names()).json().ready();
    let url = format!("http://{}:{}/hang", lan.server_v4(), nginx.port);
    let mut curl = lan.client.command("curl");
    let mut curl = curl.arg(url).stderr(Stdio::null()).spawn().expect("curl is installed");
    let _asked = origin.accept().expect("nginx has passed the request on");
    curl.kill().expect("it is our child");
    curl.wait().expect("it is our child");
    wait_for("nginx to see it", || (!nginx.access_log().is_empty()).then_some(()));
    assert_broken_off(&agent.stop(), &nginx);
}

#[test]
fn a_server_killed_before_the_answer_leaves_a_record_with_its_error() {
    root_or_fail();
    let lan = Lan::bridged();
    let (origin, mut nginx) = hanging(&lan);
    let agent = Start::new(None).interfaces(lan.interface_names()).json().ready();
    let url = format!("http://{}:{}/hang", lan.server_v4(), nginx.port);
    let mut curl = lan.client.command("curl");
    let mut curl = curl.arg(url).stderr(Stdio::null()).spawn().expect("curl is installed");
    let _asked = origin.accept().expect("nginx has passed the request on");
    nginx.kill();
    assert!(!curl.wait().expect("it is our child").success(), "curl got no answer");
    assert_broken_off(&agent.stop(), &nginx);
}

#[test]
fn an_interface_removed_and_made_again_under_load_is_watched_again() {
    root_or_fail();
    let mut lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let watched = [lan.interfaces[0].name()];
    let agent = Start::new(None).interfaces(watched).args(["--output", "text"]).ready();
    let url = format!("http://{}:{}/", lan.server_v4(), nginx.port);
    let mut wrk = lan.client.command("wrk");
    wrk.args(["-c8", "-t1", "-d30s", &url]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut load = wrk.spawn().expect("wrk is installed");
    wait_for("the load to be seen", || (!agent.stdout().is_empty()).then_some(()));
    let name = lan.interfaces[0].name().to_owned();
    drop(lan.interfaces.remove(0));
    load.kill().expect("it is our child");
    load.wait().expect("it is our child");
    lan.interfaces.insert(0, Interface::named_veth(&name, &lan.client));
    let bridge = lan.interfaces[2].name();
    sh(&format!("ip link set {name} master {bridge}"));
    lan.address_client();
    let curl = |id: &str| {
        let ask = format!("curl -sS -o /dev/null {url} -H X-Request-Id:{id}");
        lan.client.sh(&format!("{ask} --retry 5 --retry-connrefused"))
    };
    let seen = |text: &str, id: &str| {
        let id = Some(id.to_owned());
        ids_in_text(text).iter().filter(|exchange| exchange.0 == id && exchange.1 == id).count()
    };
    wait_for("an exchange over the new interface", || {
        curl("again");
        (seen(&agent.stdout(), "again") > 0).then_some(())
    });
    for n in 0..20 {
        curl(&format!("late-{n}"));
    }
    let ended = agent.stop();
    ended.account().assert_closed();
    for n in 0..20 {
        assert_eq!(seen(&ended.stdout, &format!("late-{n}")), 1, "late-{n}: {}", ended.stderr);
    }
}

#[test]
fn a_full_ring_is_counted_exactly_and_nothing_is_paired_across_it() {
    root_or_fail();
    let lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let agent = Start::new(None)
        .interfaces(lan.interface_names())
        .args(["--ring-bytes", "262144", "--output", "text"])
        .ready();
    let mut client = connect(&lan.client, &lan.server_v4(), nginx.port);
    let seen = |id: &str| agent.stdout().contains(&format!("< X-Request-Id: {id}"));
    for n in 0..3 {
        ask(&mut client, &get(&format!("before-{n}")));
    }
    wait_for("the first exchanges", || seen("before-2").then_some(()));
    agent.signal(Signal::STOP);
    let url = format!("http://{}:{}/", lan.server_v4(), nginx.port);
    wrk(&lan.client, &url, 16, Duration::from_secs(1));
    for n in 0..1000 {
        ask(&mut client, &get(&format!("during-{n}")));
    }
    agent.signal(Signal::CONT);
    // The ring is empty again once something that was sent later is seen.
    let mut n = 0;
    wait_for("an exchange after the loss", || {
        n += 1;
        ask(&mut client, &get(&format!("probe-{n}")));
        seen("probe-").then_some(())
    });
    for n in 0..50 {
        ask(&mut client, &get(&format!("after-{n}")));
    }
    let ended = agent.stop();
    println!("{}", ended.stderr);
    let segments = ended.account().row("segments");
    let full = segments.lost.get("ringbuf_full").copied().unwrap_or_default();
    assert!(full > 1000, "the ring was full: {segments:?}");
    assert_eq!(segments.seen, segments.exported + full);
    ended.account().assert_closed();
    let exchanges = ids_in_text(&ended.stdout);
    assert_paired_right(&exchanges);
    for n in 0..50 {
        let id = Some(format!("after-{n}"));
        let whole = exchanges.iter().filter(|e| e.0 == id && e.1 == id).count();
        assert_eq!(whole, 1, "after-{n} of a connection that lived through the loss");
    }
}
