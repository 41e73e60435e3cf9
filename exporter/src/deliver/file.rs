//! Lines of text or OTLP JSON in, a file or a pipe out.
//!
//! A thread of its own writes, so that a reader that stalls (a pager, a full pipe) stalls the
//! capture only if it is told to wait. Owns the bound on what waits, and counts each line exactly once: written, or lost.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::mem;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::WhenFull;
use crate::stats::{Account, Cause, Outcome, Tally};

/// Lines wait at most this long before they are written.
const LINGER: Duration = Duration::from_millis(100);
/// This much is written at once, without lingering.
const CHUNK_BYTES: usize = 64 << 10;
/// How long to let a non-blocking output be when it takes no more.
const BUSY_WAIT: Duration = Duration::from_millis(10);
/// No more than this may wait for a reader that is slow or gone, beside what is being written.
const QUEUE_BYTES: usize = 32 << 20;

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The standard output.
    Stdout,
    /// A file: appended to, or created readable by its owner only.
    File(PathBuf),
}

/// Why the output cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {path} for writing: {source}", path = path.display())]
pub struct Error {
    path: PathBuf,
    source: io::Error,
}

/// A running output.
#[derive(Debug)]
pub struct Lines {
    shared: Arc<Shared>,
}

impl Lines {
    /// Opens the target and starts the thread that writes to it.
    ///
    /// # Errors
    /// [`Error`] if the file cannot be opened or created.
    pub fn start(
        target: &Target,
        when_full: WhenFull,
        account: Arc<Account>,
    ) -> Result<Self, Error> {
        let output = match target {
            // Past the standard library's line buffer, so that what is written is known exactly.
            Target::Stdout => io::stdout().as_fd().try_clone_to_owned().map(File::from),
            Target::File(path) => open(path),
        };
        let path = || match target {
            Target::Stdout => PathBuf::from("the standard output"),
            Target::File(path) => path.clone(),
        };
        let output = output.map_err(|source| Error { path: path(), source })?;
        Ok(Self::to(Box::new(output), when_full, account))
    }

    fn to(output: Box<dyn Write + Send>, when_full: WhenFull, account: Arc<Account>) -> Self {
        let (state, changed) = Default::default();
        let shared = Arc::new(Shared { state, changed, when_full, account });
        let writer = Writer { shared: shared.clone(), output, torn: false, failing: false };
        thread::spawn(move || writer.run());
        Self { shared }
    }

    /// Queues one line, without its line feed; one that finds no room is counted lost.
    pub fn push(&self, line: &[u8], tally: Tally) {
        let when_full = &self.shared.when_full;
        let mut state = self.shared.lock();
        while state.waiting.bytes.len() + line.len() >= QUEUE_BYTES {
            if state.waiting.bytes.is_empty() || !when_full.waits() {
                drop(state);
                self.shared.account.settle_all(tally, Outcome::Lost(when_full.cause()));
                return;
            }
            state = self.shared.wait(state, WhenFull::LOOK_EVERY);
        }
        let was = state.waiting.bytes.len();
        state.waiting.push(line, tally);
        let crossed = was < CHUNK_BYTES && state.waiting.bytes.len() >= CHUNK_BYTES;
        drop(state);
        if was == 0 || crossed {
            self.shared.changed.notify_all();
        }
    }

    /// Writes what is left, for at most `deadline`; the rest is counted lost to the shutdown.
    /// Blocks; the account holds every line that was pushed when this returns.
    pub fn drain(self, deadline: Duration) {
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.changed.notify_all();
        let until = Instant::now() + deadline;
        while !state.done {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.shared.wait(state, left);
        }
        state.abandoned = true;
        let mut lost = mem::take(&mut state.writing);
        lost.add(mem::take(&mut state.waiting).total());
        self.shared.account.settle_all(lost, Outcome::Lost(Cause::Shutdown));
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Whole lines, and what rides in each.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    /// Where each line ends in `bytes`, and its tally.
    lines: Vec<(usize, Tally)>,
}

impl Chunk {
    fn push(&mut self, line: &[u8], tally: Tally) {
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.lines.push((self.bytes.len(), tally));
    }

    fn total(&self) -> Tally {
        self.up_to(self.bytes.len()).0
    }

    /// The tally of the lines that end in the first `written` bytes, and of the others.
    fn up_to(&self, written: usize) -> (Tally, Tally) {
        let (mut whole, mut rest) = (Tally::default(), Tally::default());
        for (end, tally) in &self.lines {
            if *end <= written { whole.add(*tally) } else { rest.add(*tally) }
        }
        (whole, rest)
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: Chunk,
    /// What the writer has taken and not yet settled.
    writing: Tally,
    closed: bool,
    /// The writer has settled everything and ended.
    done: bool,
    /// The drain's deadline is over and everything unsettled was counted; the writer must not.
    abandoned: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    when_full: WhenFull,
    account: Arc<Account>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, State>, left: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The writing thread.
struct Writer {
    shared: Arc<Shared>,
    output: Box<dyn Write + Send>,
    /// The last write stopped inside a line.
    torn: bool,
    /// The last write failed, and that was reported.
    failing: bool,
}

impl Writer {
    fn run(mut self) {
        while let Some(chunk) = self.next() {
            let (written, result) = self.write(&chunk.bytes);
            self.report(result);
            let (exported, lost) = chunk.up_to(written);
            let mut state = self.shared.lock();
            if state.abandoned {
                return;
            }
            state.writing = Tally::default();
            self.shared.account.settle_all(exported, Outcome::Exported);
            self.shared.account.settle_all(lost, Outcome::Lost(Cause::WriteFailed));
        }
        self.shared.lock().done = true;
        self.shared.changed.notify_all();
    }

    /// Waits for lines, lets more come, and takes them; `None` when all is written and closed.
    fn next(&self) -> Option<Chunk> {
        let mut state = self.shared.lock();
        let mut until = None;
        loop {
            let now = Instant::now();
            let lingered = until.is_some_and(|until| now >= until);
            let bytes = state.waiting.bytes.len();
            if bytes >= CHUNK_BYTES || (bytes > 0 && (lingered || state.closed)) {
                let chunk = mem::take(&mut state.waiting);
                state.writing = chunk.total();
                if self.shared.when_full.waits() {
                    self.shared.changed.notify_all();
                }
                return Some(chunk);
            }
            if state.closed {
                return None;
            }
            if bytes == 0 {
                state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                let until = *until.get_or_insert(now + LINGER);
                state = self.shared.wait(state, until.saturating_duration_since(now));
            }
        }
    }

    /// Writes as much as possible. After a torn line the next begins on a line of its own.
    fn write(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        if self.torn {
            if let Err(error) = self.output.write_all(b"\n") {
                return (0, Err(error));
            }
            self.torn = false;
        }
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.output.write(rest) {
                Ok(0) => return self.stopped(bytes, written, io::ErrorKind::WriteZero.into()),
                Ok(n) => written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Another process made the terminal or pipe non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(BUSY_WAIT),
                Err(error) => return self.stopped(bytes, written, error),
            }
        }
        (written, Ok(()))
    }

    fn stopped(
        &mut self,
        bytes: &[u8],
        written: usize,
        error: io::Error,
    ) -> (usize, io::Result<()>) {
        self.torn =
            bytes.get(..written).is_some_and(|head| head.last().is_some_and(|b| *b != b'\n'));
        (written, Err(error))
    }

    fn report(&mut self, result: io::Result<()>) {
        match result {
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::error!(%error, "the output cannot be written");
            }
            Err(_) => {}
            Ok(()) => self.failing = false,
        }
    }
}

#[cfg(test)]
mod tests;
