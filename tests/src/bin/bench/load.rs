//! wrk and nginx at full speed beside a running agent, in a network namespace of their own.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::agent::{self, Agent, Ended};
use e2e::netns::Netns;
use e2e::servers::{self, Nginx};

use super::cpu::{self, Times};
use super::{Row, sink};

const CONNECTIONS: u32 = 64;
const LOAD_TIME: Duration = Duration::from_secs(20);
const BPF_MAX_PERCENT: f64 = 3.0;
const EXPORTED_MIN: f64 = 0.9999;
const USER_MAX_US: f64 = 2.0;

/// What a load has cost.
pub(crate) struct Load {
    pub(crate) requests: u64,
    client: Times,
    server: Times,
    pub(crate) agent: Times,
    pub(crate) bpf: Duration,
    bpf_runs: u64,
}

/// Requests, the server and the agent, without a network but a namespace's loopback.
pub(crate) struct Bench {
    pub(crate) netns: Netns,
    pub(crate) nginx: Nginx,
    pub(crate) agent: Agent,
}

impl Bench {
    /// The agent sends OTLP to a collector that accepts everything.
    pub(crate) fn start() -> Result<Self> {
        let netns = Netns::new();
        let nginx = servers::Start::new(Some(&netns)).start();
        let collector = sink::start(&netns)?;
        let agent = agent::Start::new(Some(&netns))
            .interfaces(["lo"])
            .args(["--output", "otlp"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{collector}"))
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
            .ready();
        Ok(Self { netns, nginx, agent })
    }

    /// Loads the server for a while.
    pub(crate) fn load(&self, time: Duration) -> Result<Load> {
        let workers = self.nginx.workers();
        let server = || -> Result<Times> {
            let mut sum = Times::default();
            for pid in &workers {
                let times = Times::of(*pid)?;
                sum.user += times.user;
                sum.system += times.system;
            }
            Ok(sum)
        };
        let (server_before, agent_before) = (server()?, Times::of(self.agent.pid())?);
        let (bpf_before, runs_before) = cpu::programs(self.agent.pid())?;
        let wrk = self.wrk(time)?;
        wait_for_end(&wrk, time)?;
        let client = Times::of(wrk.id())?;
        let (bpf, runs) = cpu::programs(self.agent.pid())?;
        Ok(Load {
            requests: requests(wrk)?,
            client,
            server: server()?.since(server_before),
            agent: Times::of(self.agent.pid())?.since(agent_before),
            bpf: bpf - bpf_before,
            bpf_runs: runs - runs_before,
        })
    }

    fn wrk(&self, time: Duration) -> Result<Child> {
        let mut command: Command = self.netns.command("wrk");
        command.args(["--threads", "2", "--connections", &CONNECTIONS.to_string()]);
        command.args(["--duration", &format!("{}s", time.as_secs())]);
        command.arg(format!("http://127.0.0.1:{}/", self.nginx.port));
        command.stdout(Stdio::piped()).spawn().context("wrk is missing: make setup")
    }
}

/// Does not wait for the child itself, whose times would be gone.
fn wait_for_end(child: &Child, time: Duration) -> Result<()> {
    let deadline = Instant::now() + time + e2e::PATIENCE;
    while !cpu::has_ended(child.id()) {
        ensure!(Instant::now() < deadline, "wrk does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// wrk prints `N requests in TIME, ...`.
fn requests(wrk: Child) -> Result<u64> {
    let output = String::from_utf8(wrk.wait_with_output()?.stdout)?;
    let line =
        output.lines().find(|line| line.contains(" requests in ")).context("wrk's report")?;
    Ok(line.split_whitespace().next().context("a number")?.parse()?)
}

impl Load {
    fn bpf_row(&self) -> Row {
        let theirs = self.client.total() + self.server.total();
        let percent = self.bpf.as_secs_f64() / theirs.as_secs_f64() * 100.0;
        let measured = format!(
            "{percent:.2} %: {:.2} us a request in {:.1} runs, client and server {:.1} us",
            self.bpf.as_secs_f64() * 1e6 / self.requests as f64,
            self.bpf_runs as f64 / self.requests as f64,
            theirs.as_secs_f64() * 1e6 / self.requests as f64,
        );
        let what = "4 in-kernel CPU / client and server CPU";
        Row::new(what, "<= 3 %", measured, percent <= BPF_MAX_PERCENT)
    }

    fn agent_row(&self) -> Row {
        let user = self.agent.user.as_secs_f64() * 1e6 / self.requests as f64;
        let system = self.agent.system.as_secs_f64() * 1e6 / self.requests as f64;
        let measured = format!("{user:.2} us a request, and {system:.2} us in system calls");
        let what = "7 agent's user CPU a request, whole process";
        Row::new(what, "<= 2 us", measured, user <= USER_MAX_US)
    }

    fn exported_row(&self, served: u64, ended: &Ended) -> Row {
        let account = ended.account();
        account.assert_closed();
        let http = account.row("http");
        let lost: u64 = http.lost.values().sum();
        let ratio = http.exported as f64 / served as f64;
        let segments: u64 = account.row("segments").lost.values().sum();
        let measured = format!(
            "{ratio:.6}: {served} answered in {} s, {} exported, {lost} and {segments} segments lost",
            LOAD_TIME.as_secs(),
            http.exported,
        );
        let what = "6 requests exported / sent, wrk -c64";
        Row::new(what, ">= 0.9999", measured, ratio >= EXPORTED_MIN && lost == 0)
    }
}

pub(crate) fn rows() -> Result<Vec<Row>> {
    let _statistics = cpu::Statistics::enable()?;
    let bench = Bench::start()?;
    let load = bench.load(LOAD_TIME)?;
    let ended = bench.agent.stop();
    let served = u64::try_from(bench.nginx.access_log().lines().count())?;
    Ok(vec![load.bpf_row(), load.exported_row(served, &ended), load.agent_row()])
}
