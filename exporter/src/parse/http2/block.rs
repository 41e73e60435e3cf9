//! Field blocks (RFC 9113 section 8): HPACK in, a head or trailers out.
//!
//! The pseudo-header fields that have a place of their own in [`Request`] and [`Response`] go
//! there; all others are field lines, and so is whatever has no place: nothing of a block is lost
//! but what is over [`LIST_MAX_BYTES`], which is counted as unknown.

use crate::fields::Fields;
use crate::http::{HeadTiming, Oddities, Request, Response, Version};
use crate::parse::hpack::{Decoder, Field, Malformed};

/// The largest field list that is kept, as RFC 9113 section 6.5.2 counts it.
pub const LIST_MAX_BYTES: usize = 64 * 1024;
/// What each field counts beside its name and value.
const FIELD_OVERHEAD_BYTES: usize = 32;
/// A short field, to guess from a block's size how many lines there is to make room for.
const FIELD_BYTES: usize = 4;

/// What a message's blocks are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
}

/// What a block begins with, which tells a head from trailers: pseudo-header fields come first,
/// and trailers have none (RFC 9113 section 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A pseudo-header field, so it is a head.
    Pseudo,
    /// A regular field, or nothing, so it is no head.
    Regular,
    /// A field that is not known.
    Unknown,
}

/// A decoded field block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    start: Option<Start>,
    method: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    status: Option<Status>,
    fields: Fields,
    list_size: usize,
    /// Octets of its frames.
    size: u64,
    timing: HeadTiming,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Status {
    digits: [u8; 3],
    code: u16,
}

impl Status {
    fn of(value: &[u8]) -> Option<Self> {
        let digits: [u8; 3] = value.try_into().ok()?;
        let code = str::from_utf8(value).ok()?.parse().ok()?;
        (digits.iter().all(u8::is_ascii_digit) && code >= 100).then_some(Self { digits, code })
    }
}

impl Block {
    /// Decodes the block of a request or response whose frames had `size` octets; with an error,
    /// what could be decoded of it.
    pub(super) fn decode(
        decoder: &mut Decoder,
        kind: Kind,
        block: &[u8],
        size: u64,
        timing: HeadTiming,
    ) -> (Self, Result<(), Malformed>) {
        let mut decoded = Self {
            start: None,
            method: None,
            path: None,
            status: None,
            fields: Fields::with_capacity(block.len() / FIELD_BYTES, 2 * block.len()),
            list_size: 0,
            size,
            timing,
        };
        let result = decoder.decode(block, &mut |field| decoded.push(kind, field));
        (decoded, result)
    }

    fn push(&mut self, kind: Kind, field: Field<'_>) {
        let start = match field.name {
            Some([b':', ..]) => Start::Pseudo,
            Some(_) => Start::Regular,
            None => Start::Unknown,
        };
        if start == Start::Pseudo || self.start.is_none() {
            self.start = Some(start);
        }
        let (Some(name), Some(value)) = (field.name, field.value) else {
            return self.fields.push_unknown();
        };
        self.list_size += name.len() + value.len() + FIELD_OVERHEAD_BYTES;
        if self.list_size > LIST_MAX_BYTES {
            return self.fields.push_unknown();
        }
        match (kind, name) {
            (Kind::Request, b":method") if self.method.is_none() => {
                self.method = Some(value.to_vec());
            }
            (Kind::Request, b":path") if self.path.is_none() => self.path = Some(value.to_vec()),
            (Kind::Response, b":status") if self.status.is_none() => {
                self.status = Status::of(value);
                if self.status.is_none() {
                    self.fields.push(name, value);
                }
            }
            _ => self.fields.push(name, value),
        }
    }

    /// What it begins with; a pseudo-header field that is known, wherever it stands, tells most.
    #[must_use]
    pub fn start(&self) -> Start {
        self.start.unwrap_or(Start::Regular)
    }

    /// Whether no field of it is known.
    pub(super) fn is_empty(&self) -> bool {
        self.list_size == 0
    }

    /// The status code, if the block has one and it is known.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status.map(|status| status.code)
    }

    /// Whether a field is known that every message of this kind has, and no other.
    pub(super) fn is_of(&self, kind: Kind) -> bool {
        match kind {
            Kind::Request => self.method.is_some() || self.path.is_some(),
            Kind::Response => self.status.is_some(),
        }
    }

    /// Whether every field that is known could be one (RFC 9113 section 8.2.1), and those that only
    /// the other side sends are not among them.
    pub(super) fn is_plausible(&self, kind: Kind) -> bool {
        let method = self.method.as_deref().unwrap_or(b"GET");
        let lines = self.fields.iter().all(|(name, value)| {
            let is_other = match kind {
                Kind::Request => name == b":status",
                Kind::Response => name.starts_with(b":"),
            };
            !is_other && is_name(name) && is_value(value)
        });
        let path = self.path.as_deref().unwrap_or(b"/");
        lines && is_token(method) && !path.is_empty() && is_value(path)
    }

    /// The head of a request. What is not known of method and target is left empty.
    #[must_use]
    pub fn into_request(self) -> Request {
        let method = self.method.unwrap_or_default();
        // CONNECT has no path, unless it is extended (RFC 9113 section 8.5, RFC 8441 section 4).
        let authority = || self.fields.first(":authority").filter(|_| method == b"CONNECT");
        let target = self.path.or_else(|| authority().map(<[u8]>::to_vec)).unwrap_or_default();
        Request {
            method,
            target,
            version: Version::Http2,
            fields: self.fields,
            head_size: self.size,
            timing: self.timing,
            oddities: Oddities::default(),
        }
    }

    /// The head of a response. A status that is not known is 0.
    #[must_use]
    pub fn into_response(self) -> Response {
        Response {
            status: self.status.map_or(0, |status| status.code),
            reason: None,
            version: Version::Http2,
            fields: self.fields,
            head_size: self.size,
            timing: self.timing,
            oddities: Oddities::default(),
        }
    }

    /// The trailer section. A pseudo-header field has no place there, and is not left out.
    #[must_use]
    pub fn into_trailers(self) -> Fields {
        let status = self.status.map(|status| status.digits);
        let pseudo: [(&[u8], Option<&[u8]>); 3] = [
            (b":method", self.method.as_deref()),
            (b":path", self.path.as_deref()),
            (b":status", status.as_ref().map(<[u8; 3]>::as_slice)),
        ];
        let mut trailers = self.fields;
        for (name, value) in pseudo {
            if let Some(value) = value {
                trailers.push(name, value);
            }
        }
        trailers
    }
}

/// The name of a field as HTTP/2 has it: a token without capitals, or a pseudo-header field's.
fn is_name(name: &[u8]) -> bool {
    let name = name.strip_prefix(b":").unwrap_or(name);
    is_token(name) && !name.iter().any(u8::is_ascii_uppercase)
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_tchar)
}

fn is_value(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
}
