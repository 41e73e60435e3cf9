//! headertap itself: the real program, started, waited for, stopped, and its account read.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::account::Account;
use crate::netns::Netns;
use crate::records::Records;
use crate::wait_for;

const READY: &str = "headertap: ready";

/// The program: `HEADERTAP`, or what `make build` builds of this tree. Always the release: tests
/// of load are about what users run.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| env::var_os("HEADERTAP").map_or_else(build, PathBuf::from))
}

/// `CARGO_BIN_EXE_` is for tests of the same package only.
fn build() -> PathBuf {
    let test = env::current_exe().expect("a test knows its own path");
    // target/PROFILE/deps/TEST, or target/PROFILE/bench.
    let target = test.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    let target = target.expect("cargo marks its target folder");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--release", "--locked", "--package", "headertap"]);
    command.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
    // What cargo tells this test of its package, ring's build script would take for a change.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_") && name != "CARGO_HOME") {
            command.env_remove(name);
        }
    }
    crate::run(command.arg("--target-dir").arg(target));
    target.join("release/headertap")
}

/// How headertap is to be started.
#[derive(Debug)]
pub struct Start {
    command: Command,
    folder: TempDir,
}

impl Start {
    /// In the host's network, or in a namespace.
    ///
    /// # Panics
    /// If there is no room for a temporary folder.
    #[must_use]
    pub fn new(netns: Option<&Netns>) -> Self {
        let program = program().to_str().expect("the program's path is UTF-8");
        Self::with(
            netns.map_or_else(|| Command::new(program), |netns| netns.command(program)),
            "run",
        )
    }

    /// To read files, which are to be given as arguments.
    ///
    /// # Panics
    /// If there is no room for a temporary folder.
    #[must_use]
    pub fn replay() -> Self {
        Self::with(Command::new(program()), "replay")
    }

    fn with(mut command: Command, what: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        command.arg(what).arg("--account-path").arg(folder.path().join("account.json"));
        command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
        Self { command, folder }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Watches only these interfaces.
    #[must_use]
    pub fn interfaces<S: AsRef<OsStr>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        for name in names {
            self.command.arg("--interface").arg(name);
        }
        self
    }

    /// Gives it a file or a pipe as its standard input.
    #[must_use]
    pub fn stdin(mut self, input: impl Into<Stdio>) -> Self {
        self.command.stdin(input);
        self
    }

    /// Writes OTLP JSON lines, which [`Agent::records`] reads.
    #[must_use]
    pub fn json(mut self) -> Self {
        let path = self.folder.path().join("records.json");
        self.command.args(["--output", "otlp-json", "--output-path"]).arg(path);
        self
    }

    /// Starts it, and does not wait.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn spawn(mut self) -> Agent {
        let file =
            |name| File::create(self.folder.path().join(name)).expect("a file in our folder");
        self.command.stdout(file("stdout")).stderr(file("stderr"));
        let child = self.command.spawn().expect("headertap was built");
        Agent { child, folder: self.folder, status: None }
    }

    /// Starts it and waits until it is attached.
    ///
    /// # Panics
    /// If it ends, or is not ready in time.
    #[must_use]
    pub fn ready(self) -> Agent {
        let mut agent = self.spawn();
        wait_for("headertap to be ready", || {
            let stderr = agent.stderr();
            assert!(agent.ended().is_none(), "headertap ended: {stderr}");
            stderr.contains(READY).then_some(())
        });
        agent
    }
}

/// A running headertap; killed when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    folder: TempDir,
    status: Option<ExitStatus>,
}

/// What a headertap that has ended leaves.
#[derive(Debug)]
pub struct Ended {
    /// Its account, where it wrote one.
    pub account: Option<Account>,
    /// What it exported as OTLP JSON lines.
    pub records: Records,
    /// What it said.
    pub stderr: String,
    /// What it wrote to standard output.
    pub stdout: String,
    /// How it ended.
    pub status: ExitStatus,
}

impl Ended {
    /// The account.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn account(&self) -> &Account {
        self.account.as_ref().unwrap_or_else(|| panic!("no account; it said: {}", self.stderr))
    }
}

impl Agent {
    /// Everything that was exported so far as OTLP JSON lines.
    #[must_use]
    pub fn records(&self) -> Records {
        Records::read(&self.folder.path().join("records.json"))
    }

    /// What it has said on standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// What it has written to standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        fs::read_to_string(self.folder.path().join("stdout")).unwrap_or_default()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// If it is not our child, which it is.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("it is our child");
        }
        self.status
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it has ended.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("it has not been waited for");
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let status = wait_for("headertap to end", || self.ended());
        let account = self.folder.path().join("account.json");
        Ended {
            account: account.exists().then(|| Account::read(&account)),
            records: self.records(),
            stderr: self.stderr(),
            stdout: self.stdout(),
            status,
        }
    }

    /// Ends it by SIGTERM.
    ///
    /// # Panics
    /// If it does not end in order.
    #[must_use]
    pub fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        let ended = self.wait();
        assert!(ended.status.success(), "{}: {}", ended.status, ended.stderr);
        ended
    }

    /// Ends it by SIGKILL, so it can take nothing away.
    ///
    /// # Panics
    /// If it does not end.
    #[must_use]
    pub fn kill(self) -> Ended {
        self.signal(Signal::KILL);
        self.wait()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if self.status.is_none() {
            // Asked first: clsact filters outlive a process that is killed.
            let _asked = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _waited = self.child.wait();
        }
    }
}
