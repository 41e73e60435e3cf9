//! The loss account: for every unit, seen = exported + filtered + sampled + lost (by cause).
//!
//! Counters only; whoever makes a unit counts it seen, and whoever disposes of it counts how.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Packets of capture files; exported means: part of a segment or a datagram.
    Packets,
    /// TCP segments that the kernel side chose to copy; exported means: reached user space.
    Segments,
    /// UDP datagrams, in the same way.
    Datagrams,
    /// Connection changes (open, close, failed).
    Connections,
    /// HTTP exchanges, whatever number of records each gave.
    Http,
    /// TLS handshakes, whatever number of records each gave.
    Tls,
    /// DNS lookups, or messages that could not be read.
    Dns,
    /// OTLP log records.
    LogRecords,
    /// OTLP spans.
    Spans,
}

/// How a segment fits those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It brought what was expected next.
    InOrder,
    /// It came before its turn.
    OutOfOrder,
    /// It brought bytes that were there, and perhaps others.
    Retransmitted,
    /// It brought other bytes than those that wait for their turn at the same place. Bytes that
    /// were given are not kept, so what differs from them is `Retransmitted`.
    Conflicting,
}

impl Arrival {
    /// Every way to arrive but the usual.
    pub const UNUSUAL: [Self; 3] = [Self::OutOfOrder, Self::Retransmitted, Self::Conflicting];

    /// Its name in the account and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InOrder => "in_order",
            Self::OutOfOrder => "out_of_order",
            Self::Retransmitted => "retransmitted",
            Self::Conflicting => "conflicting",
        }
    }
}

/// Why a unit was lost. The name is the key in the account and the value of `error.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Cause {
    /// The ring buffer was full (`bpf_ringbuf_reserve` failed).
    RingbufFull,
    /// The kernel would not give the packet's bytes (`bpf_skb_load_bytes` failed).
    NotLoaded,
    /// A record from the kernel was not understood.
    Undecodable,
    /// The capture kept less of it than its headers.
    CutShort,
    /// Its link type is not read.
    LinkType,
    /// Bytes of its head, or other fragments of it, were not captured.
    Gap,
    /// A table was full and it was the oldest.
    TableFull,
    /// The header section was larger than the parser's limit, or it is another protocol after all;
    /// of a packet: its headers contradict themselves.
    Malformed,
    /// The delivery queue was full.
    QueueFull,
    /// It alone is larger than a request may be.
    TooLarge,
    /// The collector refused it within an accepted request (`partial_success`).
    RejectedPartial,
    /// The collector refused the request with a status that is not retryable.
    NonRetryable,
    /// It was not accepted within the age limit.
    Expired,
    /// headertap stopped before it could be delivered.
    Shutdown,
    /// The output file or pipe could not be written.
    WriteFailed,
}

impl Cause {
    /// Every cause, in the order of the account.
    pub const ALL: [Self; 15] = [
        Self::RingbufFull,
        Self::NotLoaded,
        Self::Undecodable,
        Self::CutShort,
        Self::LinkType,
        Self::Gap,
        Self::TableFull,
        Self::Malformed,
        Self::QueueFull,
        Self::TooLarge,
        Self::RejectedPartial,
        Self::NonRetryable,
        Self::Expired,
        Self::Shutdown,
        Self::WriteFailed,
    ];

    /// The cause's name in the account and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RingbufFull => "ringbuf_full",
            Self::NotLoaded => "not_loaded",
            Self::Undecodable => "undecodable",
            Self::CutShort => "cut_short",
            Self::LinkType => "link_type",
            Self::Gap => "gap",
            Self::TableFull => "table_full",
            Self::Malformed => "malformed",
            Self::QueueFull => "queue_full",
            Self::TooLarge => "too_large",
            Self::RejectedPartial => "rejected_partial",
            Self::NonRetryable => "non_retryable",
            Self::Expired => "expired",
            Self::Shutdown => "shutdown",
            Self::WriteFailed => "write_failed",
        }
    }
}

/// What became of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It left the host (or its stage) for good: acknowledged, or written.
    Exported,
    /// Policy kept it back.
    Filtered,
    /// Sampling kept it back.
    Sampled,
    /// It was lost.
    Lost(Cause),
}

/// One line of the account.
#[derive(Debug, Default)]
pub struct Row {
    seen: AtomicU64,
    exported: AtomicU64,
    filtered: AtomicU64,
    sampled: AtomicU64,
    lost: [AtomicU64; Cause::ALL.len()],
}

impl Row {
    fn outcome(&self, outcome: Outcome) -> &AtomicU64 {
        match outcome {
            Outcome::Exported => &self.exported,
            Outcome::Filtered => &self.filtered,
            Outcome::Sampled => &self.sampled,
            Outcome::Lost(cause) => &self.lost[cause as usize],
        }
    }

    /// How many were seen.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// How many came to this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcome(outcome).load(Ordering::Relaxed)
    }

    /// How many were lost, whatever the cause.
    #[must_use]
    pub fn lost(&self) -> u64 {
        Cause::ALL.iter().map(|cause| self.count(Outcome::Lost(*cause))).sum()
    }

    /// Seen, but not yet exported, filtered, sampled or lost; 0 once everything has drained.
    #[must_use]
    pub fn pending(&self) -> i128 {
        let done = [Outcome::Exported, Outcome::Filtered, Outcome::Sampled]
            .map(|outcome| i128::from(self.count(outcome)))
            .iter()
            .sum::<i128>();
        i128::from(self.seen()) - done - i128::from(self.lost())
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seen", &self.seen())?;
        map.serialize_entry("exported", &self.count(Outcome::Exported))?;
        map.serialize_entry("filtered", &self.count(Outcome::Filtered))?;
        map.serialize_entry("sampled", &self.count(Outcome::Sampled))?;
        map.serialize_entry("lost", &LostByCause(self))?;
        map.end()
    }
}

/// The causes that have a count, by name.
struct LostByCause<'a>(&'a Row);

impl Serialize for LostByCause<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = Cause::ALL.map(|cause| (cause, self.0.count(Outcome::Lost(cause))));
        serializer.collect_map(
            counts.iter().filter(|(_, n)| *n > 0).map(|(cause, n)| (cause.as_str(), n)),
        )
    }
}

/// The whole account, shared by every stage.
#[derive(Debug, Default, Serialize)]
pub struct Account {
    http: Row,
    tls: Row,
    dns: Row,
    connections: Row,
    packets: Row,
    segments: Row,
    datagrams: Row,
    log_records: Row,
    spans: Row,
    /// By [`Arrival`]; of what arrives in order there is no count. Not a part of the identity.
    #[serde(skip)]
    arrivals: [AtomicU64; Arrival::UNUSUAL.len() + 1],
}

impl Account {
    /// The line of one unit.
    #[must_use]
    pub fn row(&self, unit: Unit) -> &Row {
        match unit {
            Unit::Packets => &self.packets,
            Unit::Segments => &self.segments,
            Unit::Datagrams => &self.datagrams,
            Unit::Connections => &self.connections,
            Unit::Http => &self.http,
            Unit::Tls => &self.tls,
            Unit::Dns => &self.dns,
            Unit::LogRecords => &self.log_records,
            Unit::Spans => &self.spans,
        }
    }

    /// The lines in the order they are printed, with their names.
    #[must_use]
    pub fn rows(&self) -> [(&'static str, &Row); 9] {
        [
            ("http", &self.http),
            ("tls", &self.tls),
            ("dns", &self.dns),
            ("connections", &self.connections),
            ("packets", &self.packets),
            ("segments", &self.segments),
            ("datagrams", &self.datagrams),
            ("log_records", &self.log_records),
            ("spans", &self.spans),
        ]
    }

    /// Counts `n` units seen.
    pub fn seen(&self, unit: Unit, n: u64) {
        self.row(unit).seen.fetch_add(n, Ordering::Relaxed);
    }

    /// Counts what became of `n` units.
    pub fn settle(&self, unit: Unit, outcome: Outcome, n: u64) {
        self.row(unit).outcome(outcome).fetch_add(n, Ordering::Relaxed);
    }

    /// Counts a segment that arrived in an unusual way.
    pub fn arrived(&self, arrival: Arrival) {
        if arrival != Arrival::InOrder {
            self.arrivals[arrival as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many segments arrived in this unusual way.
    #[must_use]
    pub fn arrivals(&self, arrival: Arrival) -> u64 {
        self.arrivals[arrival as usize].load(Ordering::Relaxed)
    }

    /// Counts what became of everything in `tally`.
    pub fn settle_all(&self, tally: Tally, outcome: Outcome) {
        for (unit, n) in tally.units() {
            if n > 0 {
                self.settle(unit, outcome, n);
            }
        }
    }
}

/// The account as it is printed at the end: a line a unit, then what is still open, if anything.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "loss account: seen = exported + filtered + sampled + lost")?;
        for (name, row) in self.rows() {
            write!(
                f,
                "  {name:<12} {:>9} = {:>9} + {} + {} + {}",
                row.seen(),
                row.count(Outcome::Exported),
                row.count(Outcome::Filtered),
                row.count(Outcome::Sampled),
                row.lost(),
            )?;
            for cause in Cause::ALL {
                match row.count(Outcome::Lost(cause)) {
                    0 => {}
                    n => write!(f, "  {}: {n}", cause.as_str())?,
                }
            }
            if row.pending() != 0 {
                write!(f, "  NOT CLOSED: {}", row.pending())?;
            }
            writeln!(f)?;
        }
        let arrivals = Arrival::UNUSUAL.map(|arrival| (arrival.as_str(), self.arrivals(arrival)));
        for (name, count) in arrivals.into_iter().filter(|(_, count)| *count > 0) {
            writeln!(f, "  of the segments {count} {}", name.replace('_', " "))?;
        }
        Ok(())
    }
}

/// How many units ride in one encoded record or batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Exchanges; an exchange of two views counts in its first record only.
    pub http: u64,
    /// TLS handshakes, in the same way.
    pub tls: u64,
    /// Lookups, in the same way.
    pub dns: u64,
    /// Connection changes.
    pub connections: u64,
    /// Log records.
    pub log_records: u64,
    /// Spans.
    pub spans: u64,
}

impl Tally {
    /// Adds another tally.
    pub fn add(&mut self, other: Self) {
        self.http += other.http;
        self.tls += other.tls;
        self.dns += other.dns;
        self.connections += other.connections;
        self.log_records += other.log_records;
        self.spans += other.spans;
    }

    fn units(self) -> [(Unit, u64); 6] {
        [
            (Unit::Http, self.http),
            (Unit::Tls, self.tls),
            (Unit::Dns, self.dns),
            (Unit::Connections, self.connections),
            (Unit::LogRecords, self.log_records),
            (Unit::Spans, self.spans),
        ]
    }
}

#[cfg(test)]
mod tests;
