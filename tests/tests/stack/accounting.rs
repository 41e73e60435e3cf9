//! headertap's loss account against what the stores have.

use std::io::Write as _;

use e2e::account::Account;
use e2e::wait_for;
use tempfile::NamedTempFile;

use super::collector::Collector;
use super::run::{Carrier, Over, Run};
use super::stores::{count, number};

/// Less than the queue holds, however slow the collector is.
const THOUSAND: &str = "
local answers = 0
function response()
  answers = answers + 1
  if answers == 1000 then wrk.thread:stop() end
end
";

fn wait_for_count(query: &str, expected: u64) {
    wait_for(&format!("{expected} of {query}"), || (count(query) >= expected).then_some(()));
    assert_eq!(count(query), expected, "{query}");
}

#[test]
fn after_a_load_the_log_store_has_as_many_records_as_the_account_says() {
    let run = Run::start(Carrier::Grpc, false);
    let url = format!("http://{}:{}/via/load", run.lan.server_v4(), run.edge.port);
    let mut script = NamedTempFile::new().expect("a temporary file");
    script.write_all(THOUSAND.as_bytes()).expect("our own file");
    let mut wrk = run.lan.client.command("wrk");
    e2e::run(wrk.args(["-t1", "-c4", "-d5s", "-s"]).arg(script.path()).arg(&url));
    let requests = run.origin.access_log().lines().count() as u64;
    assert!(requests >= 1000, "wrk sent {requests} requests");
    let at_origin = format!(
        "\"headertap.event.name\":=\"headertap.http.exchange\" \"network.local.port\":=\"{}\"",
        run.origin.port
    );
    wait_for_count(&at_origin, requests);
    let over = run.stop();
    println!("{requests} requests at the origin; {}", over.ended.stderr);
    let account = over.ended.account();
    account.assert_lossless();
    wait_for_count(&over.records(), account.row("log_records").exported);
}

#[test]
fn headertaps_own_metrics_reach_the_collector_and_say_what_the_account_says() {
    let run = Run::start(Carrier::Grpc, false);
    run.curl(&[], &[], "/via/items");
    let before = Collector::log_length();
    let over = run.stop();
    let account = over.ended.account();
    let expected = |unit: &str| metric("exported", unit, account.row(unit).exported);
    wait_for("the collector to have headertap's metrics", || {
        let said = Collector::log_since(before);
        ["http", "log_records", "spans"]
            .iter()
            .all(|unit| said.contains(&expected(unit)))
            .then_some(())
    });
}

/// A line of the collector's debug exporter.
fn metric(outcome: &str, unit: &str, value: u64) -> String {
    format!("headertap.account.{outcome}{{headertap.unit={unit}}} {value}\n")
}

#[test]
fn a_collector_that_is_killed_and_started_again_loses_nothing() {
    const EACH: u64 = 40;
    let run = Run::start(Carrier::Grpc, false);
    let send = |phase: &str| {
        for n in 0..EACH {
            run.curl(&[], &[], &format!("/via/{phase}/{n}"));
        }
    };
    send("before");
    Collector::kill();
    send("without");
    Collector::start();
    send("after");
    let port = run.origin.port;
    let arrived = format!(
        "\"headertap.event.name\":=\"headertap.http.exchange\" \"network.local.port\":=\"{port}\" \
         | stats count_uniq(\"url.path\") n"
    );
    wait_for("every request to arrive", || (number(&arrived) == 3 * EACH).then_some(()));
    let over = run.stop();
    over.ended.account().assert_lossless();
    assert_every_record_is_there(&over, over.ended.account());
}

/// A record whose acknowledgement was lost with the collector may be there twice; none is missing.
fn assert_every_record_is_there(over: &Over, account: &Account) {
    let distinct = format!(
        "{} | stats count_uniq(\"headertap.event.name\", \"headertap.connection.id\", \"headertap.http.request_index\") n",
        over.records()
    );
    let exported = account.row("log_records").exported;
    wait_for("the last record", || (number(&distinct) >= exported).then_some(()));
    assert_eq!(number(&distinct), exported, "{}", over.ended.stderr);
}
