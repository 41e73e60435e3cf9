//! Request lines and status lines (RFC 9112 sections 3 and 4).
//!
//! Two measures: what servers and clients accept, for a direction known to be HTTP, and the
//! strict form, for bytes that may be anything. HTTP/0.9 has no version and is refused by both.

use http::StatusCode;

use crate::flow::Side;
use crate::http::{OTHER_VERSION_MAX_BYTES, Version};

use super::section::{trim, trim_end};

/// The longest method that the strict form takes, and about twice the longest registered one.
const STRICT_METHOD_MAX_BYTES: usize = 32;

/// How much of an unfinished line is looked at. Limits the work when it comes byte by byte.
const PREFIX_BYTES: usize = 64;

/// Enough of a status line to be sure of it: `HTTP/1.1 200`.
const STATUS_PREFIX_BYTES: usize = 12;

/// The method, target and version of a request line. Spaces in the target are kept, as lenient
/// servers do; any HTTP/1 minor version above 0 is taken for 1.1 (RFC 9110 section 2.5).
pub(super) fn parse_request(line: &[u8]) -> Option<(&[u8], &[u8], Version)> {
    let line = trim_end(line);
    let (method, rest) = line.split_at_checked(memchr::memchr(b' ', line)?)?;
    let (target, version) = rest.split_at_checked(memchr::memrchr(b' ', rest)?)?;
    let target = target.trim_ascii();
    // PRI is reserved for the preface of HTTP/2 (RFC 9113 section 11.6).
    if method == b"PRI" || !is_token(method) || target.is_empty() {
        return None;
    }
    Some((method, target, version_of(version.strip_prefix(b" HTTP/")?)?))
}

/// The method and target of a strict request line that was cut in its version.
pub(super) fn parse_cut_request(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = line.splitn(3, |byte| *byte == b' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    let is_cut = !version.is_empty() && b"HTTP/1.1".starts_with(version);
    (is_cut && is_strict_method(method) && is_strict_target(target)).then_some((method, target))
}

/// The version, code and reason phrase of a status line; the phrase and the space before it may
/// lack, as clients allow.
pub(super) fn parse_status(line: &[u8]) -> Option<(Version, u16, &[u8])> {
    let line = line.strip_prefix(b"HTTP/")?;
    let (version, rest) = line.split_at_checked(memchr::memchr(b' ', line)?)?;
    let [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', reason @ ..] = rest.trim_ascii_start()
    else {
        return None;
    };
    let status = [a, b, c].iter().fold(0, |n, d| n * 10 + u16::from(**d - b'0'));
    let is_longer = reason.first().is_some_and(u8::is_ascii_digit);
    Some((version_of(version)?, status, trim(reason))).filter(|_| !is_longer)
}

/// The reason phrase, unless it is the usual one of the status and says nothing more.
pub(super) fn unusual_reason(status: u16, reason: &[u8]) -> Option<Vec<u8>> {
    let usual = StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
    (usual.map(str::as_bytes) != Some(reason)).then(|| reason.to_vec())
}

/// The version that stands behind `HTTP/`. HTTP/0.9 had none, so who writes it does not speak it.
fn version_of(written: &[u8]) -> Option<Version> {
    match written {
        b"1.0" => Some(Version::Http10),
        [b'1', b'.', b'1'..=b'9'] => Some(Version::Http11),
        b"0.9" | [] => None,
        _ => {
            let mut other = [0; OTHER_VERSION_MAX_BYTES];
            other.get_mut(..written.len())?.copy_from_slice(written);
            written.iter().all(u8::is_ascii_graphic).then_some(Version::Other(other))
        }
    }
}

/// Whether a whole line is a start line of this side.
pub(super) fn is_valid(side: Side, strict: bool, line: &[u8]) -> bool {
    match side {
        Side::Client if strict => is_strict_request(line),
        Side::Client => parse_request(line).is_some(),
        Side::Server => parse_status(line).is_some(),
    }
}

/// Whether an unfinished line may become a start line of this side.
pub(super) fn may_begin(side: Side, strict: bool, prefix: &[u8]) -> bool {
    let prefix = prefix.get(..PREFIX_BYTES).unwrap_or(prefix);
    match side {
        Side::Client if strict => may_begin_strict_request(prefix),
        Side::Client => {
            let method = prefix.split(|byte| *byte == b' ').next().unwrap_or_default();
            is_token(method)
        }
        Side::Server if strict => may_begin_response(prefix),
        Side::Server => b"HTTP/".starts_with(prefix) || prefix.starts_with(b"HTTP/"),
    }
}

/// Whether an unfinished line may become a strict start line of any side.
pub(super) fn may_begin_either(prefix: &[u8]) -> bool {
    may_begin_strict_request(prefix) || may_begin_response(prefix)
}

/// Whether `bytes` begin with enough of a head to look for the rest of it: senders do not cut a
/// head before its target or status code.
pub(super) fn begins_head(side: Side, bytes: &[u8]) -> bool {
    match side {
        Side::Server => begins_response(bytes),
        Side::Client => {
            let prefix = bytes.get(..PREFIX_BYTES).unwrap_or(bytes);
            let line = prefix.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let mut parts = line.split(|byte| *byte == b' ');
            may_begin_strict_request(line) && parts.nth(1).is_some_and(|target| !target.is_empty())
        }
    }
}

/// Whether `bytes` begin with a status line, at least up to its code.
pub(super) fn begins_response(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HTTP/1.")
        && bytes.get(..STATUS_PREFIX_BYTES).is_some_and(|prefix| parse_status(prefix).is_some())
        && matches!(bytes.get(STATUS_PREFIX_BYTES), None | Some(b' ' | b'\t' | b'\r' | b'\n'))
}

/// Whether a whole line is METHOD SP target SP HTTP-version, with nothing else.
pub(super) fn is_strict_request(line: &[u8]) -> bool {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    is_strict_method(method)
        && is_strict_target(target)
        && matches!(version.strip_prefix(b"HTTP/1."), Some([b'0'..=b'9']))
}

fn may_begin_strict_request(prefix: &[u8]) -> bool {
    let mut parts = prefix.splitn(3, |byte| *byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    method.is_some_and(is_strict_method)
        && target
            .is_none_or(|target| target.is_empty() && version.is_none() || is_strict_target(target))
        && version.is_none_or(may_begin_version)
}

fn may_begin_version(prefix: &[u8]) -> bool {
    b"HTTP/1.".starts_with(prefix)
        || matches!(prefix.strip_prefix(b"HTTP/1."), Some([b'0'..=b'9'] | [b'0'..=b'9', b'\r']))
}

fn may_begin_response(prefix: &[u8]) -> bool {
    b"HTTP/1.".starts_with(prefix)
        || matches!(prefix.strip_prefix(b"HTTP/1."), Some([b'0'..=b'9'] | [b'0'..=b'9', b' ', ..]))
}

fn is_strict_method(method: &[u8]) -> bool {
    (1..=STRICT_METHOD_MAX_BYTES).contains(&method.len())
        && method.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'-' | b'_'))
}

fn is_strict_target(target: &[u8]) -> bool {
    !target.is_empty() && target.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

/// A byte of a token (RFC 9110 section 5.6.2).
fn is_tchar(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}
