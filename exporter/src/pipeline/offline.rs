//! Capture files through the stages: the clock is the capture's, and nothing goes back.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::config::Config;
use crate::correlate::Correlator;
use crate::event::Event;
use crate::flow::Timestamp;
use crate::output::Output;
use crate::packet::LinkType;
use crate::replay::{Ending, Error, Replay, Sink};

use super::Surroundings;
use super::outlet::Outlet;
use super::stages::Stages;

/// Trace ids that begin here are the same each time.
const SEED: [u8; 16] = [0; 16];
/// How long the end may take to send what is left.
const DRAIN_LIMIT: Duration = Duration::from_secs(3600);
/// The same, after a signal.
const STOPPED_DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// How long a pipe may be silent before what was found in it is written.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// What stands for the standard input.
const STDIN: &str = "-";

/// Reads `files` until `stop` is set, and tells whether all could be read.
pub(super) fn replay(
    config: &Config,
    files: &[PathBuf],
    output: Output,
    stop: &AtomicBool,
    surroundings: &Surroundings,
) -> Result<bool> {
    let account = &surroundings.account;
    let correlator = Correlator::new(SEED, process::id(), account.clone()).of_files();
    let outlet = Outlet::aside(surroundings.gate(config, output)?);
    let stages = Stages::new(correlator, outlet, surroundings.account.clone());
    let mut offline = Offline { stages, clock: Clock::default(), stop, file: Path::new("") };
    let mut replay = Replay::new(account.clone());
    let mut all_read = true;
    for file in files {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        offline.file = file;
        let ended = open(file)
            .map_err(|source| Error::Unreadable { offset: 0, source })
            .and_then(|reader| replay.file(reader, &mut offline));
        all_read &= ended.is_ok();
        if !stop.load(Ordering::Relaxed) {
            report(file, ended);
        }
    }
    replay.finish();
    let stopped = stop.load(Ordering::Relaxed);
    let limit = if stopped { STOPPED_DRAIN_LIMIT } else { DRAIN_LIMIT };
    offline.stages.finish(offline.clock.now, limit, &surroundings.runtime);
    Ok(all_read)
}

fn open(file: &Path) -> io::Result<Box<dyn Read>> {
    let file = if file == Path::new(STDIN) {
        io::stdin().as_fd().try_clone_to_owned().map(File::from)?
    } else {
        File::open(file)?
    };
    Ok(Box::new(Input(file)))
}

/// A file, or a pipe that may be silent for long.
struct Input(File);

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        if poll(&mut fds, Some(&WAIT))? == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.read(buffer)
    }
}

fn report(file: &Path, ended: Result<Ending, Error>) {
    let file = file.display();
    match ended {
        Ok(Ending::Whole) => {}
        Ok(Ending::Cut { offset }) => {
            eprintln!(
                "headertap: {file} was cut within the packet at byte {offset}; all before it was read"
            );
        }
        Ok(Ending::Damaged { offset }) => {
            eprintln!("headertap: {file} is damaged at byte {offset}; all before it was read");
        }
        Err(error) => eprintln!("headertap: {file} {error}"),
    }
}

/// Everything between the files and the output.
struct Offline<'a> {
    stages: Stages,
    clock: Clock,
    stop: &'a AtomicBool,
    /// The one that is being read.
    file: &'a Path,
}

impl Sink for Offline<'_> {
    fn event(&mut self, event: Event<'_>) -> bool {
        match event {
            Event::Segment(segment) => {
                self.pass(segment.at);
                self.stages.segment(&segment, segment.at, |_, _| {});
            }
            Event::Datagram(datagram) => {
                self.pass(datagram.at);
                self.stages.datagram(&datagram, None, datagram.at);
            }
            // Files hold packets only.
            Event::Socket(_) => {}
        }
        !self.stop.load(Ordering::Relaxed)
    }

    fn idle(&mut self) -> bool {
        self.stages.flush();
        !self.stop.load(Ordering::Relaxed)
    }

    fn unread(&mut self, link: LinkType) {
        eprintln!(
            "headertap: {} has packets of {link}, which is not read; they are counted lost",
            self.file.display()
        );
    }
}

impl Offline<'_> {
    fn pass(&mut self, at: Timestamp) {
        if self.clock.passes(at) {
            self.stages.work(|correlator, found| correlator.expire(at, found), |_, _| {});
        }
    }
}

/// The capture's time.
#[derive(Debug, Default)]
struct Clock {
    now: Timestamp,
    /// Packets since it last went back.
    packets: u32,
}

/// How often silent flows are forgotten.
const TICK_NS: u64 = 1_000_000_000;
/// Packets between two steps back.
const BACK_EVERY: u32 = 4096;

impl Clock {
    /// Takes a packet's time, and tells whether another second has passed.
    ///
    /// Looking for silent flows costs as much as there are flows. Going forward only, that is done
    /// a few hundred times a flow at most; a step back must not allow it each packet.
    fn passes(&mut self, at: Timestamp) -> bool {
        self.packets = self.packets.saturating_add(1);
        if at.since(self.now) >= TICK_NS {
            let first = self.now == Timestamp::default();
            self.now = at;
            return !first;
        }
        if self.now.since(at) >= TICK_NS && self.packets >= BACK_EVERY {
            self.packets = 0;
            self.now = at;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{BACK_EVERY, Clock, TICK_NS, Timestamp};

    const START: u64 = 1_400_000_000 * TICK_NS;

    fn ticks(clock: &mut Clock, times: impl IntoIterator<Item = u64>) -> usize {
        times.into_iter().filter(|at| clock.passes(Timestamp(*at))).count()
    }

    #[test]
    fn each_second_passes_once() {
        let mut clock = Clock::default();
        let tenths = (0..100).map(|n| START + n * TICK_NS / 10);
        assert_eq!(ticks(&mut clock, tenths), 9, "the first second begins with the first packet");
    }

    #[test]
    fn a_clock_that_was_stepped_back_goes_on_from_there() {
        let mut clock = Clock::default();
        ticks(&mut clock, [START, START + 100 * TICK_NS]);
        let seconds = (0..u64::from(BACK_EVERY) + 60).map(|n| START + n * TICK_NS / 1000);
        assert_eq!(clock.now.0, START + 100 * TICK_NS);
        ticks(&mut clock, seconds);
        assert!(clock.now.0 < START + 10 * TICK_NS, "{:?}", clock.now);
    }

    #[test]
    fn going_back_and_forth_is_not_a_second_each_time() {
        let mut clock = Clock::default();
        let times = (0..100_000).map(|n| START + n % 2 * 1_000_000 * TICK_NS);
        assert!(ticks(&mut clock, times) <= 100_000 / BACK_EVERY as usize + 1);
    }
}
