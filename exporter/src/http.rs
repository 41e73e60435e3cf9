//! HTTP messages (RFC 9110), whatever version carried them: what every HTTP parser gives and
//! everything after it takes. Owns no grammar.

use crate::fields::Fields;
use crate::flow::Timestamp;

/// The version a message was carried by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
    /// What stands behind `HTTP/` in an HTTP/1 start line and is no version of HTTP/1, filled up
    /// with zeros: servers refuse it, or read it as HTTP/1. Only zeros: it was not captured.
    Other([u8; OTHER_VERSION_MAX_BYTES]),
}

/// A longer version is none.
pub const OTHER_VERSION_MAX_BYTES: usize = 8;

impl Version {
    /// The value of `network.protocol.version`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
            Self::Other(written) => {
                let len = written.iter().position(|byte| *byte == 0).unwrap_or(written.len());
                written.get(..len).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
            }
        }
    }
}

/// What is remarkable about a head. But for the last, facts for smuggling hunts: how it was written
/// (RFC 9112 sections 2.2, 5.1, 5.2, 6.1 and 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oddities {
    /// Both Content-Length and Transfer-Encoding.
    pub content_length_and_transfer_encoding: bool,
    /// More than one Content-Length value.
    pub duplicate_content_length: bool,
    /// A line folded onto the next.
    pub obs_fold: bool,
    /// A line that ends in LF without CR.
    pub bare_lf: bool,
    /// White space between a field name and its colon.
    pub space_before_colon: bool,
    /// The rest of the head never came, or was not captured: only its whole lines are here.
    pub truncated: bool,
}

/// When a head was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeadTiming {
    /// Capture time of the segment with the head's first byte.
    pub first_byte: Timestamp,
    /// Capture time of the segment with the head's last byte.
    pub complete: Timestamp,
}

/// A request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method as written, e.g. `GET`; empty: it is not known.
    pub method: Vec<u8>,
    /// The request target as written: origin, absolute, authority or asterisk form; empty: it is
    /// not known.
    pub target: Vec<u8>,
    /// The version it was carried by.
    pub version: Version,
    /// The header section, of HTTP/2 with the pseudo-header fields that are nowhere else.
    pub fields: Fields,
    /// Bytes of the head on the wire, start line and empty line included.
    pub head_size: u64,
    /// When the head was received.
    pub timing: HeadTiming,
    /// What is remarkable about how it was written.
    pub oddities: Oddities,
}

/// A response's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 999; 0: it is not known.
    pub status: u16,
    /// The reason phrase (RFC 9112 section 4), where it is not the usual one of the status.
    pub reason: Option<Vec<u8>>,
    /// The version it was carried by.
    pub version: Version,
    /// The header section, of HTTP/2 with the pseudo-header fields that are nowhere else.
    pub fields: Fields,
    /// Bytes of the head on the wire, start line and empty line included.
    pub head_size: u64,
    /// When the head was received.
    pub timing: HeadTiming,
    /// What is remarkable about how it was written.
    pub oddities: Oddities,
}

/// How a message ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageEnd {
    /// Bytes of content as carried, without chunks' or frames' own (RFC 9110 section 8.6); `None`:
    /// some may not have been captured.
    pub body_size: Option<u64>,
    /// The trailer section (RFC 9110 section 6.5), empty where there is none.
    pub trailers: Fields,
    /// Capture time of the segment with the message's last byte.
    pub at: Timestamp,
}

/// Why a stream or connection of HTTP/2 was ended (RFC 9113 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// Nothing went wrong.
    pub const NO_ERROR: Self = Self(0);

    /// Its name in the RFC; one that the RFC does not know is to be taken for INTERNAL_ERROR.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self.0 {
            0x0 => "NO_ERROR",
            0x1 => "PROTOCOL_ERROR",
            0x3 => "FLOW_CONTROL_ERROR",
            0x4 => "SETTINGS_TIMEOUT",
            0x5 => "STREAM_CLOSED",
            0x6 => "FRAME_SIZE_ERROR",
            0x7 => "REFUSED_STREAM",
            0x8 => "CANCEL",
            0x9 => "COMPRESSION_ERROR",
            0xa => "CONNECT_ERROR",
            0xb => "ENHANCE_YOUR_CALM",
            0xc => "INADEQUATE_SECURITY",
            0xd => "HTTP_1_1_REQUIRED",
            _ => "INTERNAL_ERROR",
        }
    }
}
