//! DNS messages (RFC 1035), and a lookup: a query with its response.
//!
//! Names and data are text already, in presentation form: absolute names without the final dot,
//! the root as `.`, octets that are not printable escaped as in RFC 4343. Numbers stay numbers;
//! [`registry`] knows what they are called.

use crate::exchange::{self, View};
use crate::flow::{Endpoint, Timestamp};

pub mod registry;

/// The second word of a message's header (RFC 1035 section 4.1.1, RFC 2535 section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// The message is a response.
    pub const QR: u16 = 0x8000;
    /// The reserved bit, which is zero.
    pub const Z: u16 = 0x0040;
    /// The flags that are one bit, with their names, in the order of the wire. RFC 6762 section
    /// 18 gives AA and TC the same places; RFC 4795 calls AA's place C and RD's T.
    pub const NAMES: [(u16, &'static str); 7] = [
        (Self::QR, "qr"),
        (0x0400, "aa"),
        (0x0200, "tc"),
        (0x0100, "rd"),
        (0x0080, "ra"),
        (0x0020, "ad"),
        (0x0010, "cd"),
    ];

    /// Whether the message is a response.
    #[must_use]
    pub fn is_response(self) -> bool {
        self.0 & Self::QR != 0
    }

    /// Whether the message is cut short, so that it is asked again over TCP.
    #[must_use]
    pub fn is_truncated(self) -> bool {
        self.0 & 0x0200 != 0
    }

    /// The kind of query.
    #[must_use]
    pub fn opcode(self) -> u8 {
        (self.0 >> 11).to_le_bytes()[0] & 0x0f
    }

    /// The low four bits of the response code.
    #[must_use]
    pub fn rcode(self) -> u16 {
        self.0 & 0x0f
    }
}

/// An entry of the question section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Question {
    /// What is asked for.
    pub name: String,
    /// QTYPE.
    pub rtype: u16,
    /// QCLASS, in multicast DNS without the bit that wants a unicast response.
    pub class: u16,
    /// That bit (RFC 6762 section 5.4).
    pub wants_unicast: bool,
}

/// A resource record of the answer section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The owner's name.
    pub name: String,
    /// TYPE.
    pub rtype: u16,
    /// CLASS, in multicast DNS without the cache-flush bit.
    pub class: u16,
    /// That bit (RFC 6762 section 10.2).
    pub flushes_cache: bool,
    /// Seconds.
    pub ttl: u32,
    /// RDATA in presentation form; that of RFC 3597 section 5 for a type that is not known or
    /// data that is not as its type says.
    pub data: String,
}

/// The OPT pseudo-record (RFC 6891 section 6.1), without the values of its options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edns {
    /// The largest UDP payload that the sender takes.
    pub udp_size: u16,
    /// The high eight bits of the response code.
    pub extended_rcode: u8,
    /// EDNS version.
    pub version: u8,
    /// The sender wants DNSSEC records (RFC 3225).
    pub dnssec_ok: bool,
    /// The codes of its options, in the order of the wire.
    pub options: Vec<u16>,
    /// The codes of its extended errors (RFC 8914).
    pub errors: Vec<u16>,
}

/// How much of a message was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// All of it.
    #[default]
    Whole,
    /// What was captured of it.
    Captured,
    /// A record breaks the rules: nothing is told that depends on it.
    Malformed,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// When it was captured.
    pub at: Timestamp,
    /// What pairs a response with its query.
    pub id: u16,
    /// The header's flags, opcode and response code.
    pub flags: Flags,
    /// How many questions, answers, authority and additional records the header tells of.
    pub counts: [u16; 4],
    /// Its questions, or as many as are kept.
    pub questions: Vec<Question>,
    /// The answers, or the first of them where they are more than are kept.
    pub answers: Vec<Record>,
    /// Its OPT record.
    pub edns: Option<Edns>,
    /// Bytes of the message.
    pub size: u32,
    /// How much of it was read.
    pub extent: Extent,
}

impl Message {
    /// The response code, with what EDNS adds to it (RFC 6891 section 6.1.3).
    #[must_use]
    pub fn rcode(&self) -> u16 {
        let extended = self.edns.as_ref().map_or(0, |edns| u16::from(edns.extended_rcode));
        extended << 4 | self.flags.rcode()
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn cost(&self) -> usize {
        let questions = self.questions.iter().map(|q| size_of::<Question>() + q.name.len());
        let answers =
            self.answers.iter().map(|a| size_of::<Record>() + a.name.len() + a.data.len());
        size_of::<Self>() + questions.chain(answers).sum::<usize>()
    }
}

/// Which of the protocols that share the format of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// DNS.
    #[default]
    Dns,
    /// Multicast DNS (RFC 6762).
    Mdns,
    /// Link-local multicast name resolution (RFC 4795).
    Llmnr,
}

impl Protocol {
    /// The port of DNS (RFC 1035 section 4.2).
    pub const DNS_PORT: u16 = 53;
    /// The port of multicast DNS (RFC 6762 section 3).
    pub const MDNS_PORT: u16 = 5353;
    /// The port of LLMNR (RFC 4795 section 2.1).
    pub const LLMNR_PORT: u16 = 5355;

    /// The protocol of which this is the port.
    #[must_use]
    pub fn of_port(port: u16) -> Option<Self> {
        match port {
            Self::DNS_PORT => Some(Self::Dns),
            Self::MDNS_PORT => Some(Self::Mdns),
            Self::LLMNR_PORT => Some(Self::Llmnr),
            _ => None,
        }
    }

    /// The value of `network.protocol.name`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Mdns => "mdns",
            Self::Llmnr => "llmnr",
        }
    }
}

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Transport {
    /// Datagrams.
    #[default]
    Udp,
    /// A stream, each message behind its length (RFC 1035 section 4.2.2).
    Tcp,
}

impl Transport {
    /// The value of `network.transport`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// A query with its response, or one of them alone.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// Who asks; of a response without a query, who receives it.
    pub client: Endpoint,
    /// Who is asked, or answers.
    pub server: Endpoint,
    /// Which protocol.
    pub protocol: Protocol,
    /// What carried the messages.
    pub transport: Transport,
    /// The query, if it was seen.
    pub query: Option<Message>,
    /// The response, if it was seen.
    pub response: Option<Message>,
    /// Why there is no response, where one was due.
    pub failure: Option<Failure>,
    /// The query had been sent before, and the response to that one serves.
    pub is_repeated: bool,
    /// When user space read the event that completed the lookup.
    pub observed: Timestamp,
    /// One view for each end on this host, or a single observer.
    pub views: Vec<View>,
}

impl Lookup {
    /// When it began: the query, else the response.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        let first = self.query.as_ref().or(self.response.as_ref());
        first.map_or(self.observed, |message| message.at)
    }

    /// What is asked, as the query says, else the response.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        let query = self.query.as_ref().filter(|query| !query.questions.is_empty());
        query.or(self.response.as_ref()).map_or(&[], |message| &message.questions)
    }

    /// Whether one of the messages was read to this extent.
    #[must_use]
    pub fn has(&self, extent: Extent) -> bool {
        [&self.query, &self.response].into_iter().flatten().any(|it| it.extent == extent)
    }

    /// Nanoseconds from query to response, if both were seen.
    #[must_use]
    pub fn duration_ns(&self) -> Option<u64> {
        Some(self.response.as_ref()?.at.since(self.query.as_ref()?.at))
    }
}

/// Why a query has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// None came in time.
    Timeout,
    /// What became of the connection, or of headertap's sight of it.
    Connection(exchange::Failure),
}

impl Failure {
    /// The value of `error.type`; `None` where the traffic itself may have been fine.
    #[must_use]
    pub fn error_type(self) -> Option<&'static str> {
        match self {
            Self::Timeout => Some("timeout"),
            Self::Connection(failure) => failure.error_type(),
        }
    }
}

#[cfg(test)]
pub(crate) mod samples;
