//! Which of the two file formats a file has, and its records, one by one.

use crate::flow::Timestamp;
use crate::packet::{Captured, LinkType};

use super::Error;
use super::pcap::Pcap;
use super::pcapng::PcapNg;
use super::window::{Idle, Window};

/// No record is larger: who claims more has damaged the file.
pub(super) const RECORD_MAX_BYTES: usize = 16 * 1024 * 1024;

/// What a record is.
pub(super) enum Step<'a> {
    /// A packet.
    Frame { link: LinkType, captured: Captured<'a>, at: Timestamp },
    /// A packet of an interface that is not read.
    Unread,
    /// The description of such an interface.
    UnreadInterface(LinkType),
    /// A packet of an interface that the file does not describe, or of lengths that cannot be.
    Malformed,
    /// No packet.
    Other,
}

/// Why there is no record.
pub(super) enum Stop {
    /// So many bytes are needed to tell.
    NeedMore(usize),
    /// There is none here.
    Damaged,
}

pub(super) enum Format {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

impl Format {
    /// Reads what a file begins with.
    pub(super) fn recognise(window: &mut Window, idle: Idle<'_>) -> Result<Self, Error> {
        if PcapNg::begins(window, idle)? {
            return Ok(Self::PcapNg(PcapNg::default()));
        }
        Pcap::recognise(window, idle).map(Self::Pcap)
    }

    /// The record that `bytes` begin with, and how many of them it takes.
    pub(super) fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<(Step<'a>, usize), Stop> {
        match self {
            Self::Pcap(pcap) => pcap.next(bytes),
            Self::PcapNg(pcapng) => pcapng.next(bytes),
        }
    }
}
