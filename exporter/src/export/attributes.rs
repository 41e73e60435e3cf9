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
mod dns;
mod exchange;
mod fields;
pub mod table;
mod tls;

pub use connection::connection;
pub(crate) use dns::{error_code, lookup};
pub(crate) use exchange::{ErrorType, error_type, exchange, incomplete, known_method, sections};
pub(crate) use tls::{handshake, handshake_error, protocol};

/// Most attributes of a log record. Loki discards a line with more than 128 entries, and the
/// Resource, the scope and the record's own fields count among them.
pub const MAX_ATTRIBUTES: usize = 96;

/// Most attributes that a log record and a span of one exchange share; a log record adds the name
/// of its event.
pub(crate) const MAX_SHARED: usize = MAX_ATTRIBUTES - 1;

/// The name of an attribute: one of [`table`], followed by the name of a header field where it is
/// a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    name: &'static str,
    /// UTF-8, spelt as on the wire.
    field: &'a [u8],
}

impl<'a> Key<'a> {
    /// A whole name.
    #[inline]
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, field: b"" }
    }

    /// The name for a header field; `field` is UTF-8, spelt as on the wire.
    #[inline]
    pub(crate) fn of_field(prefix: &'static str, field: &'a [u8]) -> Self {
        Self { name: prefix, field }
    }

    /// The name, or the prefix before the field's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Bytes of the whole key.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.name.len() + self.field.len()
    }

    /// Appends the whole key, the field's name in lower case.
    #[inline]
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name.as_bytes());
        if self.field.is_empty() {
            return;
        }
        let field = out.len();
        out.extend_from_slice(self.field);
        if let Some(field) = out.get_mut(field..) {
            field.make_ascii_lowercase();
        }
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, String::from_utf8_lossy(self.field).to_ascii_lowercase())
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
    /// An array of strings, as the bytes on the wire; what is not UTF-8 is escaped when written.
    Strs(&'a [&'a [u8]]),
    /// An array of integers.
    Ints(&'a [i64]),
}

/// Gives attributes to whoever visits.
struct Visit<'v, F> {
    visitor: &'v mut F,
    /// Where a number becomes text.
    text: String,
}

impl<'v, F: FnMut(Key<'_>, Value<'_>)> Visit<'v, F> {
    fn new(visitor: &'v mut F) -> Self {
        Self { visitor, text: String::with_capacity(40) }
    }

    #[inline]
    fn give(&mut self, key: Key<'_>, value: Value<'_>) {
        (self.visitor)(key, value);
    }

    #[inline]
    fn str(&mut self, name: &'static str, value: &str) {
        self.give(Key::new(name), Value::Str(value));
    }

    /// A string that may not be there.
    fn text(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.str(name, value);
        }
    }

    /// Numbers beyond `i64` cannot be told in OTLP; they become the largest that can.
    #[inline]
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
        self.written(name, |text| push_ip(text, ip));
    }

    /// An id of 64 bits, as 16 hexadecimal digits; 0 is none.
    fn id(&mut self, name: &'static str, id: u64) {
        if id != 0 {
            self.written(name, |text| push_hex(text, id));
        }
    }

    /// What numbers are called, in their order; nothing where there are none.
    fn names(&mut self, key: &'static str, numbers: &[u16], name: fn(u16) -> Cow<'static, str>) {
        let names: Vec<_> = numbers.iter().map(|number| name(*number)).collect();
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        if !names.is_empty() {
            self.give(Key::new(key), Value::Strs(&names));
        }
    }

    /// A string that `write` makes.
    fn written(&mut self, name: &'static str, write: impl FnOnce(&mut String)) {
        self.text.clear();
        write(&mut self.text);
        (self.visitor)(Key::new(name), Value::Str(&self.text));
    }
}

/// The value of `network.type` for an endpoint.
fn network_type(endpoint: &Endpoint) -> &'static str {
    if endpoint.ip().is_ipv4() { "ipv4" } else { "ipv6" }
}
