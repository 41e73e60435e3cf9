//! The record layer (RFC 8446 section 5.1): which bytes of a direction are of which content.
//!
//! The version of a record is that of TLS 1.0 in most ClientHellos and means nothing, but its
//! first byte is always 3.

use crate::parse::Parsed;

use super::message::{CLIENT_HELLO, SERVER_HELLO};

/// What a record may hold (RFC 5246 section 6.2.3): 2^14 bytes, and what encryption adds.
const RECORD_MAX_BYTES: usize = (1 << 14) + 2048;
const HEADER_BYTES: usize = 5;
/// The shortest hello: a draft's ServerHello with neither session nor extensions.
const HELLO_MIN_BYTES: u8 = 36;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const HEARTBEAT: u8 = 24;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ContentType {
    Alert,
    Handshake,
    ApplicationData,
    /// Nothing that is read.
    #[default]
    Other,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Bytes of a record.
    Fragment,
    /// All bytes were taken.
    NeedMore,
    /// No record begins here.
    NotARecord,
}

/// Where a direction stands in its records.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The header so far, where it is not whole.
    header: Vec<u8>,
    content_type: ContentType,
    len: usize,
    /// Bytes of the record that were not taken.
    rest: usize,
}

impl Records {
    /// Takes headers from the front of `chunk`, until there are bytes to be had by `take`.
    pub(super) fn next(&mut self, chunk: &mut &[u8]) -> Found {
        while self.rest == 0 {
            let missing = HEADER_BYTES - self.header.len();
            let (taken, rest) = chunk.split_at(missing.min(chunk.len()));
            self.header.extend_from_slice(taken);
            if !may_be_header(&self.header) {
                return Found::NotARecord;
            }
            *chunk = rest;
            let Some((content_type, len)) = header(&self.header) else { return Found::NeedMore };
            self.header.clear();
            (self.content_type, self.len, self.rest) = (content_type, len, len);
        }
        if chunk.is_empty() { Found::NeedMore } else { Found::Fragment }
    }

    /// Whether the direction stands in a record.
    pub(super) fn has_begun(&self) -> bool {
        !self.header.is_empty() || self.rest > 0
    }

    /// The content of the record.
    pub(super) fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// The length of the record.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the record from the front of `chunk`, at most `max`.
    pub(super) fn take<'a>(&mut self, chunk: &mut &'a [u8], max: usize) -> &'a [u8] {
        let (taken, rest) = chunk.split_at(max.min(self.rest).min(chunk.len()));
        self.rest -= taken.len();
        *chunk = rest;
        taken
    }

    /// How many of the next bytes are of a record that is not read.
    pub(super) fn skippable(&self) -> u64 {
        match self.content_type {
            ContentType::Alert | ContentType::Handshake => 0,
            ContentType::ApplicationData | ContentType::Other => {
                u64::try_from(self.rest).unwrap_or(u64::MAX)
            }
        }
    }

    /// `len` bytes were missed. Gives whether all of them were of a record that is not read.
    pub(super) fn skip(&mut self, len: u64) -> bool {
        let skips = len <= self.skippable();
        if skips {
            self.rest -= usize::try_from(len).unwrap_or(self.rest);
        }
        skips
    }
}

/// Whether bytes that are no more than a header may begin one.
fn may_be_header(bytes: &[u8]) -> bool {
    bytes.first().is_none_or(|kind| (CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(kind))
        && bytes.get(1).is_none_or(|major| *major == 3)
        && header(bytes).is_none_or(|(_, len)| len <= RECORD_MAX_BYTES)
}

fn header(bytes: &[u8]) -> Option<(ContentType, usize)> {
    let [kind, _, _, high, low] = bytes.first_chunk()?;
    let content_type = match *kind {
        ALERT => ContentType::Alert,
        HANDSHAKE => ContentType::Handshake,
        APPLICATION_DATA => ContentType::ApplicationData,
        _ => ContentType::Other,
    };
    Some((content_type, usize::from(u16::from_be_bytes([*high, *low]))))
}

/// The type of the hello that a direction, or after a loss a segment, begins with. Strict, as any
/// bytes may stand there: the hello must have a hello's length, too.
pub(super) fn first_hello(bytes: &[u8]) -> Parsed<u8> {
    let header_is_good = bytes.first().is_none_or(|kind| *kind == HANDSHAKE)
        && has_known_version(bytes)
        && header(bytes).is_none_or(|(_, len)| (1..=RECORD_MAX_BYTES).contains(&len));
    if !header_is_good {
        return Parsed::NotThisProtocol;
    }
    let fragment = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let len = header(bytes).map_or(0, |(_, len)| len);
    match fragment.get(..len).unwrap_or(fragment) {
        [] => Parsed::NeedMore,
        [CLIENT_HELLO | SERVER_HELLO, high, ..] if *high != 0 => Parsed::NotThisProtocol,
        [_, _, 0, low, ..] if *low < HELLO_MIN_BYTES => Parsed::NotThisProtocol,
        [kind @ (CLIENT_HELLO | SERVER_HELLO), ..] => Parsed::Message(*kind),
        _ => Parsed::NotThisProtocol,
    }
}

/// Whether `bytes` begin with a record that is sent after a side's hellos.
pub(super) fn is_past_hellos(bytes: &[u8]) -> bool {
    let is_record = bytes.len() >= HEADER_BYTES && may_be_header(bytes) && has_known_version(bytes);
    is_record && first_hello(bytes) == Parsed::NotThisProtocol
}

/// Whether `bytes` begin with a record of encrypted data.
pub(super) fn is_application_data(bytes: &[u8]) -> bool {
    is_past_hellos(bytes) && bytes.first() == Some(&APPLICATION_DATA)
}

/// Whether the version is one that records have (RFC 8446 section 5.1), as far as it is there.
fn has_known_version(bytes: &[u8]) -> bool {
    let [major, minor] = [bytes.get(1), bytes.get(2)];
    major.is_none_or(|major| *major == 3) && minor.is_none_or(|minor| *minor <= 4)
}
