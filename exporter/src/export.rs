//! Encoding: an [`Exchange`] or a [`Connection`] in, OTLP records out; also lines for people.
//!
//! Owns what the records look like: names, severities, span kinds, the Resource. Owns no policy
//! (what arrives is already what may leave the host), no batching and no I/O. Ids and times are
//! those of the input, so the same input always gives the same bytes and a record that is sent
//! twice can be recognised.

use std::sync::Arc;

use crate::connection::Connection;
use crate::dns::Lookup;
use crate::exchange::{Exchange, View};
use crate::host::Host;
use crate::stats::Tally;
use crate::tls::Handshake;

pub mod attributes;
mod escape;
mod grpc;
pub mod json;
mod key_values;
mod line;
mod logs;
mod number;
mod protobuf;
pub mod request;
mod resource;
mod spans;
mod target;
pub mod text;

use attributes::{Key, MAX_SHARED, Value};
use key_values::{Attributes, KeyValues};
use resource::Resources;
use target::Target;

/// The version of the semantic conventions that the attribute names follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// The name of the one instrumentation scope.
pub const SCOPE_NAME: &str = "headertap";

/// The version of the one instrumentation scope.
pub const SCOPE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The kind of a record; each goes to its own OTLP service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Log records.
    Logs,
    /// Spans.
    Traces,
}

/// What is told in records: it is what may leave the host.
#[derive(Debug, Clone, Copy)]
pub enum Item<'a> {
    /// An HTTP exchange.
    Exchange(&'a Exchange),
    /// A TLS handshake.
    Handshake(&'a Handshake),
    /// A DNS lookup.
    Lookup(&'a Lookup),
    /// A change of a connection.
    Connection(&'a Connection),
}

impl Item<'_> {
    /// The unit it is.
    #[must_use]
    pub fn tally(self) -> Tally {
        match self {
            Self::Exchange(_) => Tally { http: 1, ..Tally::default() },
            Self::Handshake(_) => Tally { tls: 1, ..Tally::default() },
            Self::Lookup(_) => Tally { dns: 1, ..Tally::default() },
            Self::Connection(_) => Tally { connections: 1, ..Tally::default() },
        }
    }
}

/// One encoded log record or span, ready to be put into a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What `bytes` is.
    pub signal: Signal,
    /// The encoded `Resource` message of the observed process.
    pub resource: Arc<[u8]>,
    /// The encoded `LogRecord` or `Span` message, without an outer tag.
    pub bytes: Vec<u8>,
    /// The units that are exported, or lost, with this record.
    pub tally: Tally,
}

/// Makes records. Keeps the Resources of the processes it has met.
#[derive(Debug)]
pub struct Encoder {
    resources: Resources,
    view: KeyValues,
    sections: Sections,
    line: String,
}

impl Encoder {
    /// An encoder for the processes of `host`.
    #[must_use]
    pub fn new(host: &Host) -> Self {
        Self {
            resources: Resources::new(host),
            view: KeyValues::default(),
            sections: Sections::default(),
            line: String::new(),
        }
    }

    /// Gives `emit` the records of an item; the first counts it.
    pub fn encode(&mut self, item: Item<'_>, mut emit: impl FnMut(Record)) {
        match item {
            Item::Exchange(exchange) => self.exchange(exchange, emit),
            Item::Handshake(handshake) => self.handshake(handshake, emit),
            Item::Lookup(lookup) => self.lookup(lookup, emit),
            Item::Connection(connection) => emit(self.connection(connection)),
        }
    }

    /// Gives `emit` a log record for every view of the exchange, followed by its span where the
    /// view has one. The exchange is counted in the first record's tally. An exchange without a
    /// view gives nothing, so its maker must settle it in the account.
    pub fn exchange(&mut self, exchange: &Exchange, mut emit: impl FnMut(Record)) {
        let mut http = 1;
        self.sections.room = 0;
        for view in &exchange.views {
            let resource = self.resources.of(&view.process);
            let target = Target::of(exchange, view.role);
            self.view.clear();
            attributes::exchange(exchange, view, &target, &mut |key, value| {
                self.view.push(key, value);
            });
            self.sections.fill(exchange, MAX_SHARED.saturating_sub(self.view.len()));
            let attributes = Attributes {
                blocks: &[&self.view, &self.sections.encoded],
                dropped: dropped(exchange, self.sections.cut),
            };

            emit(Record {
                signal: Signal::Logs,
                resource: Arc::clone(&resource),
                bytes: logs::exchange(exchange, view, &target, &attributes, &mut self.line),
                tally: Tally { http, log_records: 1, ..Tally::default() },
            });
            http = 0;
            if has_span(view) {
                emit(Record {
                    signal: Signal::Traces,
                    resource,
                    bytes: spans::exchange(exchange, view, &attributes),
                    tally: Tally { spans: 1, ..Tally::default() },
                });
            }
        }
    }

    /// Gives `emit` a log record for every view of the handshake.
    pub fn handshake(&mut self, handshake: &Handshake, emit: impl FnMut(Record)) {
        self.views(
            &handshake.views,
            Item::Handshake(handshake).tally(),
            |view, mut visitor| attributes::handshake(handshake, view, &mut visitor),
            |view, attributes, line| logs::handshake(handshake, view, attributes, line),
            emit,
        );
    }

    /// Gives `emit` a log record for every view of the lookup. A lookup has no span.
    pub fn lookup(&mut self, lookup: &Lookup, emit: impl FnMut(Record)) {
        self.views(
            &lookup.views,
            Item::Lookup(lookup).tally(),
            |view, mut visitor| attributes::lookup(lookup, view, &mut visitor),
            |view, attributes, line| logs::lookup(lookup, view, attributes, line),
            emit,
        );
    }

    /// A log record for every view; the first has the tally of what is told.
    fn views(
        &mut self,
        views: &[View],
        mut tally: Tally,
        visit: impl Fn(&View, &mut dyn FnMut(Key<'_>, Value<'_>)),
        encode: impl Fn(&View, &Attributes<'_>, &mut String) -> Vec<u8>,
        mut emit: impl FnMut(Record),
    ) {
        for view in views {
            self.view.clear();
            visit(view, &mut |key, value| self.view.push(key, value));
            let attributes = Attributes { blocks: &[&self.view], dropped: 0 };
            tally.log_records = 1;
            emit(Record {
                signal: Signal::Logs,
                resource: self.resources.of(&view.process),
                bytes: encode(view, &attributes, &mut self.line),
                tally: std::mem::take(&mut tally),
            });
        }
    }

    /// The log record of a change of a connection.
    pub fn connection(&mut self, connection: &Connection) -> Record {
        self.view.clear();
        attributes::connection(connection, &mut |key, value| self.view.push(key, value));
        let attributes = Attributes { blocks: &[&self.view], dropped: 0 };
        Record {
            signal: Signal::Logs,
            resource: self.resources.of(&connection.process),
            bytes: logs::connection(connection, &attributes),
            tally: Tally { connections: 1, log_records: 1, ..Tally::default() },
        }
    }
}

/// The header fields of one exchange, encoded.
#[derive(Debug, Default)]
struct Sections {
    encoded: KeyValues,
    /// How many attributes they could be; 0: those of another exchange.
    room: usize,
    /// How many that took away.
    cut: u32,
}

impl Sections {
    /// Encodes them, unless what is there for another view fits this one as it is.
    fn fill(&mut self, exchange: &Exchange, room: usize) {
        let all_fit = self.cut == 0 && self.encoded.len() <= room;
        if self.room != 0 && (all_fit || self.room == room) {
            return;
        }
        self.encoded.clear();
        self.room = room;
        let encoded = &mut self.encoded;
        self.cut = attributes::sections(exchange, room, &mut |key, value| encoded.push(key, value));
    }
}

/// An observer has no end of the exchange, so it never has a span, whatever the view says.
fn has_span(view: &View) -> bool {
    view.span.has_span && view.role != crate::exchange::Role::Observer
}

/// `dropped_attributes_count`: what policy took away, and what the cap on attributes did.
fn dropped(exchange: &Exchange, cut: u32) -> u32 {
    exchange.dropped.request.saturating_add(exchange.dropped.response).saturating_add(cut)
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
