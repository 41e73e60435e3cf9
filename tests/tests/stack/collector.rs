//! The collector of the stack, killed and started again, and its log.

use std::fs;
use std::process::Command;

use e2e::{run, wait_for};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::stores::state_folder;

/// The collector that stack.sh started.
pub(crate) struct Collector;

impl Collector {
    /// Ends it by SIGKILL.
    pub(crate) fn kill() {
        let pid = Self::pid();
        kill_process(pid, Signal::KILL).expect("stack.sh started it");
        wait_for("the collector to end", || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
            let is_zombie = stat.is_ok_and(|stat| stat.contains(") Z "));
            (is_zombie || test_kill_process(pid).is_err()).then_some(())
        });
    }

    /// Starts it again, with the queue that it left on disk.
    pub(crate) fn start() {
        let stack = concat!(env!("CARGO_MANIFEST_DIR"), "/stack/stack.sh");
        run(Command::new(stack).arg("up"));
    }

    fn pid() -> Pid {
        let file = state_folder().join("collector.pid");
        let text = fs::read_to_string(file).expect("stack.sh keeps its process id");
        let pid = text.split(' ').next().and_then(|pid| pid.parse().ok());
        pid.and_then(Pid::from_raw).expect("a process id")
    }

    fn log() -> String {
        fs::read_to_string(state_folder().join("collector.log")).expect("stack.sh keeps its log")
    }

    /// How much it has said so far.
    pub(crate) fn log_length() -> usize {
        Self::log().len()
    }

    /// What it has said since.
    pub(crate) fn log_since(length: usize) -> String {
        Self::log().get(length..).unwrap_or_default().to_owned()
    }
}
