//! The body of an OTLP request in, one line of OTLP JSON out, in the form that the Collector's
//! file exporter writes and its `otlpjsonfile` receiver reads.
//!
//! The bytes are told as they come, field by field, by the table of what a field is called
//! (`schema`); no message is built. Ids are hexadecimal, 64-bit numbers are strings, and what
//! has its default value is not there, in one form as in the other.

mod schema;

use std::fmt::Write;

use super::Signal;
use schema::{Field, Kind, LOGS_REQUEST, Message, TRACES_REQUEST};

/// Why a request was not told as JSON. It is of no use to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not a request of the signal, or not as `request` writes it.
    #[error("not an OTLP request")]
    NotARequest,
    /// A field has no name here.
    #[error("field {0} of the request has no name")]
    Unnamed(u64),
}

/// JSON takes more room than what it tells: about half as much again.
const ROOM_PER_BYTE: usize = 2;

/// The request as one line of JSON, without the line's end.
///
/// # Errors
/// If `request` is not the body of a request of `signal`.
pub fn line(signal: Signal, request: &[u8]) -> Result<String, Error> {
    let message = match signal {
        Signal::Logs => LOGS_REQUEST,
        Signal::Traces => TRACES_REQUEST,
    };
    let mut out = String::with_capacity(request.len() * ROOM_PER_BYTE);
    put_message(&mut out, message, request)?;
    Ok(out)
}

/// Goes no deeper than the schema, which ends.
fn put_message(out: &mut String, message: Message, bytes: &[u8]) -> Result<(), Error> {
    let mut wire = Wire(bytes);
    // The field whose array is open, and the numbers of those that are behind us.
    let mut open: Option<&Field> = None;
    let mut before = 0_u64;
    out.push('{');
    while !wire.0.is_empty() {
        let tag = wire.varint()?;
        let number = tag >> 3;
        let field = message.iter().find(|field| u64::from(field.number) == number);
        let field = field.ok_or(Error::Unnamed(number))?;
        if open.is_some_and(|open| open.number == field.number) {
            out.push(',');
        } else {
            close(out, open);
            // What comes again would be told twice under one name.
            if before & 1 << field.number != 0 {
                return Err(Error::NotARequest);
            }
            out.push_str(if before == 0 { "\"" } else { ",\"" });
            out.push_str(field.name);
            out.push_str(if field.repeated { "\":[" } else { "\":" });
            before |= 1 << field.number;
            open = field.repeated.then_some(field);
        }
        put_value(out, field.kind, &mut wire)?;
    }
    close(out, open);
    out.push('}');
    Ok(())
}

fn close(out: &mut String, open: Option<&Field>) {
    if open.is_some() {
        out.push(']');
    }
}

fn put_value(out: &mut String, kind: Kind, wire: &mut Wire<'_>) -> Result<(), Error> {
    match kind {
        Kind::Message(message) => return put_message(out, message, wire.bytes()?),
        Kind::Text => put_text(out, wire.bytes()?)?,
        Kind::Id => put_hex(out, wire.bytes()?),
        Kind::Bool => out.push_str(if wire.varint()? == 0 { "false" } else { "true" }),
        Kind::Number => put(out, format_args!("{}", wire.varint()?)),
        Kind::Int64 => put(out, format_args!("\"{}\"", wire.varint()?.cast_signed())),
        Kind::Fixed32 => put(out, format_args!("{}", u32::from_le_bytes(wire.fixed()?))),
        Kind::Fixed64 => put(out, format_args!("\"{}\"", u64::from_le_bytes(wire.fixed()?))),
    }
    Ok(())
}

fn put(out: &mut String, value: std::fmt::Arguments<'_>) {
    out.write_fmt(value).expect("a String takes everything");
}

fn put_hex(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            out.push(char::from_digit(digit.into(), 16).expect("it is below 16"));
        }
    }
    out.push('"');
}

/// A string (RFC 8259 section 7).
fn put_text(out: &mut String, bytes: &[u8]) -> Result<(), Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::NotARequest)?;
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')) {
        let (plain, escaped) = rest.split_at(at);
        let (special, after) = escaped.split_at(1);
        out.push_str(plain);
        match special {
            "\"" | "\\" => {
                out.push('\\');
                out.push_str(special);
            }
            control => {
                put(out, format_args!("\\u{:04x}", control.as_bytes().first().unwrap_or(&0)))
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out.push('"');
    Ok(())
}

/// Bytes in the wire format of protocol buffers.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Error::NotARequest)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let taken = self.take(N)?;
        taken.first_chunk().copied().ok_or(Error::NotARequest)
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.fixed()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::NotARequest)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let len = usize::try_from(self.varint()?).map_err(|_| Error::NotARequest)?;
        self.take(len)
    }
}
