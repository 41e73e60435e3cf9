//! What an agent costs that has nothing to do.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::agent;
use e2e::netns::Netns;

use super::{Row, cpu};

const IDLE_TIME: Duration = Duration::from_secs(20);
const CPU_MAX_PERCENT: f64 = 0.1;
const MEMORY_MAX_BYTES: u64 = 40 * 1024 * 1024;

pub(crate) fn rows() -> Result<Vec<Row>> {
    let netns = Netns::new();
    let agent = agent::Start::new(Some(&netns)).interfaces(["lo"]).json().ready();
    let before = cpu::on_processor(agent.pid())?;
    let since = Instant::now();
    // Not a wait for something: the measurement itself.
    thread::sleep(IDLE_TIME);
    let busy = cpu::on_processor(agent.pid())? - before;
    let percent = busy.as_secs_f64() / since.elapsed().as_secs_f64() * 100.0;
    let memory = cpu::resident(agent.pid())?;
    let _ended = agent.stop();
    Ok(vec![
        Row::new(
            "8 idle: processor",
            "<= 0.1 %",
            format!("{percent:.3} % of a core"),
            percent <= CPU_MAX_PERCENT,
        ),
        Row::new(
            "8 idle: memory",
            "<= 40 MiB",
            format!("{:.1} MiB", memory as f64 / 1024.0 / 1024.0),
            memory <= MEMORY_MAX_BYTES,
        ),
    ])
}
