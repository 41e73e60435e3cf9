//! Trace context: the identity a request carries in its header fields, and the identities that
//! headertap gives where it carries none.
//!
//! Reads W3C Trace Context level 2 and, where no `traceparent` is, B3 and Jaeger's older fields.
//! Derived ids are hashes of what the exchange is, so both ends, a retry and a second encoding of
//! the same exchange come to the same id without shared state. Pure: no clock, no randomness.

use sha2::{Digest, Sha256};

use crate::fields::Fields;
use crate::flow::{Endpoint, Timestamp};

/// Bit 0 of the trace flags: the caller records the trace (W3C Trace Context section 3.2.2.5.1).
const SAMPLED: u8 = 1;

/// The caller's span, as a header field names it. Neither id is all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; ids of 64 bits are padded with zeros on the left.
    pub trace_id: [u8; 16],
    /// The caller's span.
    pub parent_id: [u8; 8],
    /// The trace flags; bit 0 is *sampled*. A caller that left the decision open counts as
    /// sampled.
    pub flags: u8,
}

/// What header fields say about the caller's span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No trace context.
    None,
    /// One caller.
    One(TraceParent),
    /// Several lines of a field that names the caller: to be treated as absent.
    Duplicate,
    /// A trace context that does not follow its format: to be treated as absent.
    Invalid,
}

impl TraceParent {
    /// Reads the value of a `traceparent` field (W3C Trace Context level 2, section 3.2).
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(55)?;
        let mut parts = known.split(|byte| *byte == b'-');
        let [version] = hex(parts.next()?)?;
        let (trace_id, parent_id) = (hex(parts.next()?)?, hex(parts.next()?)?);
        let [flags] = hex(parts.next()?)?;
        // Higher versions may add parts, each after its own dash; version 00 has none.
        let ends = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => matches!(more, [] | [b'-', ..]),
        };
        if !ends || parts.next().is_some() {
            return None;
        }
        Self::valid(trace_id, parent_id, flags)
    }

    fn valid(trace_id: [u8; 16], parent_id: [u8; 8], flags: u8) -> Option<Self> {
        let zero = trace_id == [0; 16] || parent_id == [0; 8];
        (!zero).then_some(Self { trace_id, parent_id, flags })
    }

    /// Reads ids that may be shorter than their fields, lower or upper case.
    fn of_ids(trace_id: &[u8], parent_id: &[u8], sampled: bool) -> Option<Self> {
        let (trace_id, parent_id) = (padded_hex(trace_id)?, padded_hex(parent_id)?);
        Self::valid(trace_id, parent_id, if sampled { SAMPLED } else { 0 })
    }
}

/// Looks for the caller's span in a request's header section: `traceparent`; where that field
/// does not exist `b3`; then the `x-b3-` fields; then `uber-trace-id`.
#[must_use]
pub fn from_fields(fields: &Fields) -> Found {
    let readers: [fn(&Fields) -> Found; 4] = [
        |fields| single(fields, "traceparent", |value| found(TraceParent::parse(value))),
        |fields| single(fields, "b3", b3),
        b3_multiple,
        |fields| single(fields, "uber-trace-id", |value| found(uber(value))),
    ];
    let mut answers = readers.iter().map(|read| read(fields));
    answers.find(|answer| *answer != Found::None).unwrap_or(Found::None)
}

fn single(fields: &Fields, name: &str, read: impl Fn(&[u8]) -> Found) -> Found {
    let mut lines = fields.all(name);
    match (lines.next(), lines.next()) {
        (None, _) => Found::None,
        (Some(value), None) => read(value),
        (Some(_), Some(_)) => Found::Duplicate,
    }
}

fn found(parent: Option<TraceParent>) -> Found {
    parent.map_or(Found::Invalid, Found::One)
}

/// `b3: trace-span[-sampled[-parent]]`, or the decision alone, which names no caller.
fn b3(value: &[u8]) -> Found {
    let mut parts = value.split(|byte| *byte == b'-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(b"0" | b"1" | b"d"), None, None) => Found::None,
        (Some(trace_id), Some(parent_id), sampled) => {
            found(TraceParent::of_ids(trace_id, parent_id, sampled != Some(b"0")))
        }
        _ => Found::Invalid,
    }
}

/// `x-b3-traceid`, `x-b3-spanid` and `x-b3-sampled`.
fn b3_multiple(fields: &Fields) -> Found {
    single(fields, "x-b3-traceid", |trace_id| {
        single(fields, "x-b3-spanid", |parent_id| {
            let refused = matches!(fields.first("x-b3-sampled"), Some(b"0" | b"false"));
            found(TraceParent::of_ids(trace_id, parent_id, !refused))
        })
    })
}

/// `uber-trace-id: trace:span:parent:flags`; the colons may be percent-encoded, and leading
/// zeros of every part may lack.
fn uber(value: &[u8]) -> Option<TraceParent> {
    let text = std::str::from_utf8(value).ok()?.replace("%3A", ":").replace("%3a", ":");
    let mut parts = text.split(':').map(str::as_bytes);
    let (trace_id, parent_id, _) = (parts.next()?, parts.next()?, parts.next()?);
    let [flags] = padded_hex(parts.next()?)?;
    TraceParent::of_ids(trace_id, parent_id, flags & SAMPLED != 0)
}

/// The bytes that exactly `2 * N` lower-case hexadecimal digits stand for.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let lower = digits.iter().all(|digit| !digit.is_ascii_uppercase());
    (lower && digits.len() == 2 * N).then(|| padded_hex(digits))?
}

/// The bytes that 1 to `2 * N` hexadecimal digits stand for.
fn padded_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.is_empty() || digits.len() > 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (pair, byte) in digits.rchunks(2).zip(bytes.iter_mut().rev()) {
        for digit in pair {
            let value = u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

/// The id of a span of headertap's own: the same for the same role (a tag of the caller's
/// choice), caller, connection and number of the exchange in it. Never all zero.
#[must_use]
pub fn derive_span_id(
    role: u8,
    trace_id: &[u8; 16],
    parent_id: &[u8; 8],
    client: &Endpoint,
    server: &Endpoint,
    index: u64,
) -> [u8; 8] {
    let hash = Sha256::new()
        .chain_update([role])
        .chain_update(trace_id)
        .chain_update(parent_id)
        .chain_update(ends(client, server))
        .chain_update(index.to_be_bytes());
    non_zero(first_bytes(&hash.finalize()))
}

/// The id of a trace that begins with an exchange whose request names none. `seed` is secret or
/// random, one a host and run, so ids of different hosts do not meet; `start` tells connections
/// that reuse the same ports apart. Never all zero.
#[must_use]
pub fn derive_trace_id(
    seed: &[u8; 16],
    client: &Endpoint,
    server: &Endpoint,
    start: Timestamp,
    index: u64,
) -> [u8; 16] {
    let hash = Sha256::new()
        .chain_update(seed)
        .chain_update(ends(client, server))
        .chain_update(start.0.to_be_bytes())
        .chain_update(index.to_be_bytes());
    non_zero(first_bytes(&hash.finalize()))
}

/// Both endpoints in a form of fixed length, so that no two pairs are hashed alike.
fn ends(client: &Endpoint, server: &Endpoint) -> [u8; 36] {
    let mut bytes = [0; 36];
    let parts = [client, server].map(|end| (end.address, end.port.to_be_bytes()));
    let source = parts.iter().flat_map(|(address, port)| address.iter().chain(port));
    bytes.iter_mut().zip(source).for_each(|(to, from)| *to = *from);
    bytes
}

fn first_bytes<const N: usize>(hash: &[u8]) -> [u8; N] {
    *hash.first_chunk().expect("a SHA-256 hash has 32 bytes and no id has more than 16")
}

/// All zero means *no id*; the one hash in 2^64 that says so becomes another.
fn non_zero<const N: usize>(id: [u8; N]) -> [u8; N] {
    if id == [0; N] { [1; N] } else { id }
}

#[cfg(test)]
mod tests;
