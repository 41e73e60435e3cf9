//! Guards for kernel, network namespace and whole-stack tests: each makes something real, and
//! its drop takes it away again.
//!
//! Most of it needs root: a test of such begins with [`root_or_fail`], which says so.

pub mod account;
pub mod agent;
pub mod captures;
pub mod grpc;
pub mod lan;
pub mod neighbour;
pub mod netns;
pub mod packets;
pub mod programs;
pub mod records;
pub mod resolver;
pub mod servers;
pub mod tls;
pub mod traffic;

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything that a test waits for may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often a test looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Fails the test, and says why, where it cannot run.
///
/// # Panics
/// If the test does not run as root.
pub fn root_or_fail() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test needs root: it makes network namespaces and loads BPF programs (run: sudo make test)"
    );
}

/// Waits until `look` finds something.
///
/// # Panics
/// If it has found nothing within [`PATIENCE`].
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// Runs a command and gives what it printed.
///
/// # Panics
/// If it cannot be run, or fails.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {stderr}", output.status);
    String::from_utf8(output.stdout).expect("commands of these tests print UTF-8")
}

/// Runs a command given as words, as `ip link show`.
///
/// # Panics
/// If it cannot be run, or fails.
pub fn sh(words: &str) -> String {
    let mut words = words.split_whitespace();
    let program = words.next().expect("a command has a name");
    run(Command::new(program).args(words))
}

/// A number that no other guard of this process has, from 1.
pub(crate) fn unique() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// What the names of everything begin with that this process makes.
pub(crate) fn prefix() -> String {
    format!("h{}", std::process::id())
}

/// A TCP port that other tests, and test runs at the same time, are unlikely to use. Below the
/// ephemeral ports, so nobody is given it by chance.
#[must_use]
pub fn port() -> u16 {
    let spread = std::process::id().wrapping_mul(131).wrapping_add(unique()) % 22_000;
    10_000 + u16::try_from(spread).expect("it is below 22,000")
}
