//! The same requests read by tshark, which prints fields of what tcpdump has recorded.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::wait_for;
use rustix::process::{Pid, Signal, kill_process};

use super::Row;
use super::cpu::{self, Times};
use super::load::Bench;

const WHAT: &str = "5 agent's CPU / tshark's, same requests";
const TARGET: &str = "<= 0.02";
const RATIO_MAX: f64 = 0.02;
const LOAD_TIME: Duration = Duration::from_secs(3);
const FIELDS: [&str; 8] = [
    "-Tfields",
    "-ehttp.request.method",
    "-ehttp.request.full_uri",
    "-ehttp.request.line",
    "-ehttp.response.code",
    "-ehttp.response.line",
    "-eip.src",
    "-eip.dst",
];

pub(crate) fn rows() -> Result<Vec<Row>> {
    if Command::new("tshark").arg("--version").output().is_err() {
        return Ok(vec![Row::absent(WHAT, TARGET, "tshark is not installed")]);
    }
    let _statistics = cpu::Statistics::enable()?;
    let bench = Bench::start()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("packets.pcap");
    let mut tcpdump = bench.netns.command("tcpdump");
    tcpdump.args(["-i", "lo", "-B", "65536", "-s0", "-U", "-Z", "root", "-w"]);
    let mut tcpdump = tcpdump.arg(&file).stderr(Stdio::null()).spawn().context("tcpdump")?;
    wait_for("tcpdump to record", || file.metadata().ok().filter(|file| file.len() > 0));
    let load = bench.load(LOAD_TIME)?;
    kill_process(Pid::from_child(&tcpdump), Signal::TERM)?;
    tcpdump.wait()?;
    let port = bench.nginx.port;
    let _ended = bench.agent.stop();
    let mut command = Command::new("tshark");
    command.arg("-r").arg(&file).args(["-Y", "http"]).args(FIELDS);
    command.args(["-d", &format!("tcp.port=={port},http")]);
    let mut tshark = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    while !cpu::has_ended(tshark.id()) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let theirs = Times::of(tshark.id())?.total();
    ensure!(tshark.wait()?.success(), "tshark failed");
    let ours = load.agent.total() + load.bpf;
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    let us = |time: Duration| time.as_secs_f64() * 1e6 / load.requests as f64;
    let measured = format!(
        "{ratio:.4}: {:.2} us a request in kernel and agent, tshark {:.0} us",
        us(ours),
        us(theirs)
    );
    Ok(vec![Row::new(WHAT, TARGET, measured, ratio <= RATIO_MAX)])
}
