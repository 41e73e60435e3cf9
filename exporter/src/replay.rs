//! Capture files: pcap or pcapng, by any reader, in; the same [`Event`]s that the kernel gives out.
//!
//! Opens nothing and prints nothing. A file is read through a window, so its size does not matter;
//! every packet is counted in the account, whatever becomes of it.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod format;
mod pcap;
mod pcapng;
mod window;

use std::io::{self, Read};
use std::sync::Arc;

use crate::event::Event;

use crate::packet::{self, Fragments, LinkType, Packet};
use crate::stats::{Account, Cause, Outcome, Unit};

use format::{Format, Step, Stop};
use window::Window;

/// Why a file was not read, or no further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is something else: correct the path.
    #[error("is no pcap or pcapng capture")]
    NotACapture,
    /// No packet of it could be read: capture on another interface.
    #[error("has packets of {0}, which is not read")]
    LinkType(LinkType),
    /// It cannot be read.
    #[error("cannot be read at byte {offset}: {source}")]
    Unreadable {
        /// What was read of it.
        offset: u64,
        /// Why.
        source: io::Error,
    },
}

/// How a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Behind its last packet.
    Whole,
    /// Within a packet: it was cut there.
    Cut {
        /// Where that packet begins.
        offset: u64,
    },
    /// At something that is no packet.
    Damaged {
        /// Where it begins.
        offset: u64,
    },
}

/// Who takes what is in files.
pub trait Sink {
    /// Takes an event; false: no more, please.
    fn event(&mut self, event: Event<'_>) -> bool;
    /// A reader has said that there is nothing for the moment (`WouldBlock`); false: no more,
    /// please.
    fn idle(&mut self) -> bool;
    /// A network interface of this file is of a link type that is not read.
    fn unread(&mut self, link: LinkType);
}

/// Reads files, one after the other, as one capture.
#[derive(Debug)]
pub struct Replay {
    fragments: Fragments,
    account: Arc<Account>,
}

impl Replay {
    /// Counts in `account`.
    #[must_use]
    pub fn new(account: Arc<Account>) -> Self {
        Self { fragments: Fragments::default(), account }
    }

    /// Reads a file; gzip is unpacked.
    ///
    /// # Errors
    /// If it is no capture, or cannot be read.
    pub fn file(&mut self, file: Box<dyn Read>, sink: &mut dyn Sink) -> Result<Ending, Error> {
        let mut window = Window::new(file, &mut || sink.idle())?;
        let mut format = Format::recognise(&mut window, &mut || sink.idle())?;
        loop {
            let stop = match format.next(window.bytes()) {
                Ok((step, len)) => {
                    if !self.step(step, sink) {
                        return Ok(Ending::Whole);
                    }
                    window.consume(len);
                    continue;
                }
                Err(stop) => stop,
            };
            let offset = window.offset();
            match stop {
                Stop::NeedMore(len) if window.fill(len, &mut || sink.idle())? => {}
                Stop::NeedMore(_) if window.bytes().is_empty() => return Ok(Ending::Whole),
                Stop::NeedMore(_) => return Ok(Ending::Cut { offset }),
                Stop::Damaged => return Ok(Ending::Damaged { offset }),
            }
        }
    }

    fn step(&mut self, step: Step<'_>, sink: &mut dyn Sink) -> bool {
        match step {
            Step::Frame { link, captured, at } => {
                self.account.seen(Unit::Packets, 1);
                return self.packet(packet::decode(link, captured, at), 1, sink);
            }
            Step::Unread => self.lost(Cause::LinkType),
            Step::Malformed => self.lost(Cause::Malformed),
            Step::UnreadInterface(link) => sink.unread(link),
            Step::Other => {}
        }
        true
    }

    fn lost(&self, cause: Cause) {
        self.account.seen(Unit::Packets, 1);
        self.account.settle(Unit::Packets, Outcome::Lost(cause), 1);
    }

    /// Nothing more comes.
    pub fn finish(&mut self) {
        let account = &self.account;
        self.fragments.finish(&mut |cause, packets| {
            account.settle(Unit::Packets, Outcome::Lost(cause), packets);
        });
    }

    /// Takes what `packets` captured packets were read as. What was fragmented within what was
    /// fragmented comes here again, less deep each time.
    fn packet(
        &mut self,
        packet: Result<Packet<'_>, packet::Error>,
        packets: u64,
        sink: &mut dyn Sink,
    ) -> bool {
        let (event, outcome) = match packet {
            Ok(Packet::Segment(segment)) => {
                self.account.seen(Unit::Segments, 1);
                (Some(Event::Segment(segment)), Outcome::Exported)
            }
            Ok(Packet::Datagram(datagram)) => {
                self.account.seen(Unit::Datagrams, 1);
                (Some(Event::Datagram(datagram)), Outcome::Exported)
            }
            Ok(Packet::Fragment(fragment)) => {
                let account = &self.account;
                let mut lose = |cause, packets| {
                    account.settle(Unit::Packets, Outcome::Lost(cause), packets);
                };
                let Some(whole) = self.fragments.add(&fragment, packets, &mut lose) else {
                    return true;
                };
                return self.packet(packet::decode_whole(&whole), whole.packets, sink);
            }
            Ok(Packet::Other) => (None, Outcome::Filtered),
            Err(packet::Error::CutShort) => (None, Outcome::Lost(Cause::CutShort)),
            Err(packet::Error::Malformed) => (None, Outcome::Lost(Cause::Malformed)),
        };
        self.account.settle(Unit::Packets, outcome, packets);
        event.is_none_or(|event| sink.event(event))
    }
}

#[cfg(test)]
mod tests;
