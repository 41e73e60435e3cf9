//! The writer against real files, a full device, a closed pipe and a reader that does not read.

use super::{Lines, Target, WhenFull};
use crate::stats::{Account, Cause, Outcome, Tally, Unit};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

const LINE: Tally = Tally { http: 0, tls: 0, dns: 0, connections: 0, log_records: 1, spans: 0 };
const LONG: Duration = Duration::from_secs(10);

/// A file name of this test's own, removed at the end.
struct Path(PathBuf);

impl Path {
    fn new(name: &str) -> Self {
        let name = format!("headertap-lines-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

fn start(target: &Target) -> (Lines, Arc<Account>) {
    let account = Arc::new(Account::default());
    (Lines::start(target, WhenFull::Lose, account.clone()).expect("the target opens"), account)
}

fn to(output: impl Write + Send + 'static) -> (Lines, Arc<Account>) {
    let account = Arc::new(Account::default());
    (Lines::to(Box::new(output), WhenFull::Lose, account.clone()), account)
}

fn count(account: &Account, outcome: Outcome) -> u64 {
    account.row(Unit::LogRecords).count(outcome)
}

fn lost(account: &Account, cause: Cause) -> u64 {
    count(account, Outcome::Lost(cause))
}

#[test]
fn a_file_is_created_for_its_owner_only_and_appended_to() {
    let path = Path::new("append");
    for word in [b"one", b"two"] {
        let (lines, account) = start(&Target::File(path.0.clone()));
        lines.push(word, LINE);
        lines.drain(LONG);
        assert_eq!(count(&account, Outcome::Exported), 1);
    }
    assert_eq!(fs::read(&path.0).expect("the file is there"), b"one\ntwo\n");
    let mode = fs::metadata(&path.0).expect("the file is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let target = Target::File("/nonexistent/lines".into());
    let error = Lines::start(&target, WhenFull::Lose, Arc::default())
        .expect_err("the folder does not exist");
    assert!(error.to_string().contains("/nonexistent/lines"), "{error}");
}

#[test]
fn a_line_is_soon_written_without_a_drain() {
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let (lines, _) = to(writer);
    let start = Instant::now();
    lines.push(b"x", LINE);
    let mut line = [0; 2];
    reader.read_exact(&mut line).expect("the line comes");
    assert_eq!(&line, b"x\n");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    lines.drain(LONG);
}

#[test]
fn a_full_device_is_counted() {
    let (lines, account) = to(File::options().write(true).open("/dev/full").expect("/dev/full"));
    (0..9).for_each(|_| lines.push(b"x", LINE));
    lines.drain(LONG);
    assert_eq!(lost(&account, Cause::WriteFailed), 9);
}

#[test]
fn a_pipe_without_a_reader_is_counted() {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    let (lines, account) = to(writer);
    (0..9).for_each(|_| lines.push(b"x", LINE));
    lines.drain(LONG);
    assert_eq!(lost(&account, Cause::WriteFailed), 9);
}

/// Fails once after some bytes, then works.
struct Hiccup {
    before: Option<usize>,
    written: Arc<std::sync::Mutex<Vec<u8>>>,
}

impl Write for Hiccup {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = match &mut self.before {
            None => bytes.len(),
            Some(0) => {
                self.before = None;
                return Err(io::ErrorKind::StorageFull.into());
            }
            Some(left) => {
                let n = bytes.len().min(*left);
                *left -= n;
                n
            }
        };
        self.written.lock().expect("no panic").extend(bytes.iter().take(n));
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_torn_line_is_lost_alone_and_the_next_begins_on_its_own() {
    let written = Arc::default();
    let (lines, account) = to(Hiccup { before: Some(6), written: Arc::clone(&written) });
    (0..2).for_each(|_| lines.push(b"four", LINE));
    let deadline = Instant::now() + LONG;
    while lost(&account, Cause::WriteFailed) == 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    lines.push(b"next", LINE);
    lines.drain(LONG);
    assert_eq!(*written.lock().expect("no panic"), b"four\nf\nnext\n");
    assert_eq!((count(&account, Outcome::Exported), lost(&account, Cause::WriteFailed)), (2, 1));
}

#[test]
fn a_reader_that_stalls_stalls_neither_the_push_nor_the_drain() {
    let (reader, writer) = io::pipe().expect("a pipe");
    let (lines, account) = to(writer);
    let line = vec![b'x'; 1 << 20];
    let start = Instant::now();
    (0..80).for_each(|_| lines.push(&line, LINE));
    // 32 MiB wait, and as much may be in the writer's hands.
    assert!(lost(&account, Cause::QueueFull) >= 16, "twice 32 MiB hold no 80 lines of 1 MiB");
    lines.drain(Duration::from_millis(100));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let total = account.row(Unit::LogRecords).lost() + count(&account, Outcome::Exported);
    assert_eq!(total, 80);
    drop(reader);
}

#[test]
fn a_producer_that_may_wait_waits_for_a_slow_reader() {
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let account = Arc::new(Account::default());
    let when_full = WhenFull::Wait(Arc::new(AtomicBool::new(false)));
    let lines = Lines::to(Box::new(writer), when_full, account.clone());
    let reading = thread::spawn(move || {
        let mut read = vec![0; 1 << 20];
        let mut total = 0;
        while let n @ 1.. = reader.read(&mut read).expect("the pipe can be read") {
            total += n;
        }
        total
    });
    let line = vec![b'x'; 1 << 20];
    (0..80).for_each(|_| lines.push(&line, LINE));
    lines.drain(LONG);
    assert_eq!(count(&account, Outcome::Exported), 80);
    assert_eq!(reading.join().expect("it reads to the end"), 80 * ((1 << 20) + 1));
}
