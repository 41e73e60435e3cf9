//! Processes by pid: each is read once, kept while it lives and for a while after, and never
//! mistaken for another one that got its pid.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::read::Stat;
use super::{Process, read};

/// Processes that are kept; the least recently asked for go first.
const ENTRIES_MAX: usize = 8192;
/// How many go at once when the table is full.
const EVICTED: usize = ENTRIES_MAX / 8;
/// An entry is believed for so long before its start time is looked at again. The kernel hands
/// pids out in turn, so none comes back that soon.
const BELIEVED: Duration = Duration::from_secs(1);

/// The processes of this host, by pid in the host's pid namespace.
#[derive(Debug)]
pub struct Processes {
    root: PathBuf,
    boot_id: String,
    unknown: Arc<Process>,
    entries: FxHashMap<u32, Entry>,
}

#[derive(Debug)]
struct Entry {
    process: Arc<Process>,
    /// `None` if the process was gone before it could be read.
    start: Option<u64>,
    checked: Instant,
    used: Instant,
}

impl Processes {
    /// An empty table; `root` is the mount point of procfs, `/proc` but in tests.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let boot_id = fs::read_to_string(root.join("sys/kernel/random/boot_id"));
        let boot_id = boot_id.unwrap_or_default().trim().to_owned();
        Self { root, boot_id, unknown: Arc::default(), entries: FxHashMap::default() }
    }

    /// The process with this pid. `comm` is the command name that the kernel gave with it: all
    /// there is, beside the pid, if the process is gone before it was read once.
    ///
    /// A process that was read stays known after its end until the pid has a new owner. Pid 0
    /// stands for an unknown process.
    pub fn get(&mut self, pid: u32, comm: &str) -> Arc<Process> {
        self.get_at(pid, comm, Instant::now())
    }

    fn get_at(&mut self, pid: u32, comm: &str, now: Instant) -> Arc<Process> {
        if pid == 0 {
            return Arc::clone(&self.unknown);
        }
        if let Some(entry) = self.entries.get_mut(&pid) {
            entry.used = now;
            if now.saturating_duration_since(entry.checked) < BELIEVED {
                return Arc::clone(&entry.process);
            }
            entry.checked = now;
            let start = read::stat(&self.root, pid).map(|stat| stat.start);
            if start.is_none() || start == entry.start {
                return Arc::clone(&entry.process);
            }
        } else if self.entries.len() >= ENTRIES_MAX {
            self.evict();
        }
        let stat = read::stat(&self.root, pid);
        let process = Arc::new(self.read(pid, comm, stat));
        let start = stat.map(|stat| stat.start);
        let entry = Entry { process: Arc::clone(&process), start, checked: now, used: now };
        self.entries.insert(pid, entry);
        process
    }

    fn read(&self, pid: u32, comm: &str, stat: Option<Stat>) -> Process {
        let mut process = match stat {
            Some(stat) => read::process(&self.root, &self.boot_id, pid, stat),
            None => Process { pid, ..Process::default() },
        };
        for name in [&mut process.executable_name, &mut process.service_name] {
            if name.is_empty() {
                comm.clone_into(name);
            }
        }
        process
    }

    fn evict(&mut self) {
        let mut by_use: Vec<_> =
            self.entries.iter().map(|(pid, entry)| (entry.used, *pid)).collect();
        by_use.select_nth_unstable(EVICTED);
        for (_, pid) in by_use.iter().take(EVICTED) {
            self.entries.remove(pid);
        }
    }
}

#[cfg(test)]
mod tests;
