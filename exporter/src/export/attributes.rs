//! Attributes: an exchange as one end took part in it, or a change of a connection, in; names with
//! typed values out, in a fixed order, to whoever visits them: log records, spans and text.
//!
//! Owns which attributes there are and what they say. Owns no encoding. A name exists only in
//! [`table`].

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use crate::export::number::{push_hex, push_ip};
use crate::flow::Endpoint;

mod connection;
mod exchange;
mod fields;
pub mod table;

pub use connection::connection;
pub(crate) use exchange::{ErrorType, error_type, exchange, incomplete, known_method};

/// Most attributes of a log record. Loki discards a line with more than 128 entries, and the
/// Resource, the scope and the record's own fields count among them.
pub const MAX_ATTRIBUTES: usize = 96;

/// Most attributes that a log record and a span of one exchange share; a log record adds the name
/// of its event.
const MAX_SHARED: usize = MAX_ATTRIBUTES - 1;

/// The name of an attribute: one of [`table`], followed by the name of a header field where it is
/// a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    name: &'static str,
    field: &'a str,
}

impl<'a> Key<'a> {
    /// A whole name.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, field: "" }
    }

    /// The name for a header field; `field` is spelt as on the wire.
    pub(crate) fn of_field(prefix: &'static str, field: &'a str) -> Self {
        Self { name: prefix, field }
    }

    /// The name, or the prefix before the field's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Bytes of the whole key.
    pub(crate) fn len(&self) -> usize {
        self.name.len() + self.field.len()
    }

    /// Appends the whole key, the field's name in lower case.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name.as_bytes());
        if self.field.is_empty() {
            return;
        }
        let field = out.len();
        out.extend_from_slice(self.field.as_bytes());
        if let Some(field) = out.get_mut(field..) {
            field.make_ascii_lowercase();
        }
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.field.to_ascii_lowercase())
    }
}

/// The value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string.
    Str(&'a str),
    /// An integer.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// An array of strings.
    Strs(&'a [Cow<'a, str>]),
    /// An array of integers.
    Ints(&'a [i64]),
}

/// Gives attributes to whoever visits, up to the cap, and counts what the cap takes away.
struct Visit<'v, F> {
    room: usize,
    dropped: u32,
    visitor: &'v mut F,
}

impl<'v, F: FnMut(Key<'_>, Value<'_>)> Visit<'v, F> {
    fn new(visitor: &'v mut F) -> Self {
        Self { room: MAX_SHARED, dropped: 0, visitor }
    }

    fn give(&mut self, key: Key<'_>, value: Value<'_>) {
        if self.room == 0 {
            self.dropped = self.dropped.saturating_add(1);
        } else {
            self.room -= 1;
            (self.visitor)(key, value);
        }
    }

    fn str(&mut self, name: &'static str, value: &str) {
        self.give(Key::new(name), Value::Str(value));
    }

    /// Numbers beyond `i64` cannot be told in OTLP; they become the largest that can.
    fn int(&mut self, name: &'static str, value: impl TryInto<i64>) {
        self.give(Key::new(name), Value::Int(value.try_into().unwrap_or(i64::MAX)));
    }

    /// A boolean that is worth telling only when it is true.
    fn flag(&mut self, name: &'static str, value: bool) {
        if value {
            self.give(Key::new(name), Value::Bool(true));
        }
    }

    /// A number of which 0 means that it is not known.
    fn known(&mut self, name: &'static str, value: u64) {
        if value != 0 {
            self.int(name, value);
        }
    }

    fn endpoint(&mut self, names: [&'static str; 2], endpoint: Endpoint) {
        let [address, port] = names;
        self.address(address, endpoint.ip());
        self.int(port, endpoint.port);
    }

    fn address(&mut self, name: &'static str, ip: IpAddr) {
        let mut text = String::with_capacity(15);
        push_ip(&mut text, ip);
        self.str(name, &text);
    }

    /// An id of 64 bits, as 16 hexadecimal digits.
    fn id(&mut self, name: &'static str, id: u64) {
        let mut text = String::with_capacity(16);
        push_hex(&mut text, id);
        self.str(name, &text);
    }
}

/// The value of `network.type` for an endpoint.
fn network_type(endpoint: &Endpoint) -> &'static str {
    if endpoint.ip().is_ipv4() { "ipv4" } else { "ipv6" }
}
