//! Processor time of processes, and of BPF programs, as the kernel counts it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

const STATISTICS: &str = "/proc/sys/kernel/bpf_stats_enabled";
/// Of `utime` and `stime` in proc_pid_stat(5): USER_HZ, which is 100 on every architecture here.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of one process, its threads that have ended included.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Times {
    /// So far; also of a process that has ended and has not been waited for.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields = after_name(&stat)?;
        let ticks = |index: usize| -> Result<Duration> {
            let ticks: u32 = fields.get(index).context("/proc/PID/stat is short")?.parse()?;
            Ok(TICK * ticks)
        };
        Ok(Self { user: ticks(11)?, system: ticks(12)? })
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }

    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

/// The fields behind the name, which may itself hold blanks.
fn after_name(stat: &str) -> Result<Vec<&str>> {
    let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat has a name")?;
    Ok(fields.split(' ').collect())
}

/// Whether a child has ended and waits for its parent.
pub(crate) fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    after_name(&stat).is_ok_and(|fields| fields.first() == Some(&"Z"))
}

/// Time on a processor, to the nanosecond, of the threads that a process has now.
pub(crate) fn on_processor(pid: u32) -> Result<Duration> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let schedule = fs::read_to_string(task?.path().join("schedstat"))?;
        total += schedule.split(' ').next().context("schedstat has fields")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total))
}

/// Resident memory in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.context("no VmRSS")?.trim().trim_end_matches(" kB").parse::<u64>()?;
    Ok(kib * 1024)
}

/// Counts the time of BPF programs while it lives. Counting costs each run two clock readings.
pub(crate) struct Statistics {
    before: String,
}

impl Statistics {
    pub(crate) fn enable() -> Result<Self> {
        let before = fs::read_to_string(STATISTICS)?;
        fs::write(STATISTICS, "1")?;
        Ok(Self { before })
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        if let Err(error) = fs::write(STATISTICS, &self.before) {
            eprintln!("{STATISTICS} was not set back: {error}");
        }
    }
}

/// Time and runs of the BPF programs that a process has loaded.
pub(crate) fn programs(pid: u32) -> Result<(Duration, u64)> {
    let (mut time, mut runs, mut found) = (0, 0, false);
    for entry in fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fdinfo"))? {
        let info = fs::read_to_string(entry?.path()).unwrap_or_default();
        let field = |name: &str| -> Option<u64> {
            info.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
        };
        if let (Some(ns), Some(count)) = (field("run_time_ns:"), field("run_cnt:")) {
            found = true;
            time += ns;
            runs += count;
        }
    }
    ensure!(found, "process {pid} holds no BPF program");
    Ok((Duration::from_nanos(time), runs))
}
