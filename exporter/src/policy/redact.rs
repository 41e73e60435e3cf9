//! Secrets inside URLs: a request target or a field value in, the same without them out.
//!
//! Hides the values of parameters whose names are in `secret`, wherever a parameter can stand
//! (path segment, query, fragment, `;` or `&`), and userinfo (RFC 3986 section 3.2.1). Does not
//! know which path segments are secrets.
//!
//! Where writers disagree on where a value ends, the longest reading is hidden: in a query, up
//! to the next `&`, because `;` and `#` belong to the value for many servers.

use memchr::memmem::find_iter;
use memchr::{memchr, memchr_iter, memchr2, memchr3, memrchr};

use super::caps::ELLIPSIS;
use super::secret::{DECODINGS, is_secret, percent_decode};

/// What stands in the place of a value that is not exported.
pub(super) const REDACTED: &[u8] = b"REDACTED";
const REDACTED_USERINFO: &[u8] = b"REDACTED:REDACTED";

/// Most searches of one text. One that shows secrets after so many was made for it: all of it is
/// hidden.
const ROUNDS: usize = 4;

/// What kind of text may hold a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A request target (RFC 9112 section 3.2), or a bare authority.
    Target,
    /// A field that is a URL, e.g. Location.
    Reference,
    /// Any other field: it may have a URL in it, which shows by `?`, `#` or `@`.
    Text,
}

impl Shape {
    /// The shape of a field's value, by its lower-case name.
    pub(super) fn of_field(name: &[u8]) -> Self {
        match name {
            b"host" | b":authority" | b"x-forwarded-host" => Self::Target,
            b"location" | b"content-location" | b"referer" | b"refresh" | b"link" => {
                Self::Reference
            }
            _ if [&b"uri"[..], b"url", b"path"].iter().any(|end| name.ends_with(end)) => {
                Self::Reference
            }
            _ => Self::Text,
        }
    }
}

/// `text` without its secrets; `None` if there is nothing to hide.
///
/// What is hidden may have ended a name or an authority, so that another one shows: the result
/// is searched again until nothing is found.
pub(super) fn redact(shape: Shape, text: &[u8]) -> Option<Vec<u8>> {
    match shape {
        Shape::Text => memchr3(b'?', b'#', b'@', text)?,
        Shape::Target | Shape::Reference => memchr3(b'=', b'@', b'%', text)?,
    };
    let mut shown = redact_once(shape, text)?;
    for _ in 0..ROUNDS {
        match redact_once(shape, &shown) {
            Some(again) => shown = again,
            None => return Some(shown),
        }
    }
    Some(REDACTED.to_vec())
}

fn redact_once(shape: Shape, text: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::new(text);
    find_userinfo(text, shape == Shape::Target, &mut edits);
    find_secret_values(text, &mut edits);
    edits.finish()
}

/// Finds the userinfo of every authority after `://`, after a leading `//` and, where `bare`,
/// at the start of a text that is nothing but an authority (RFC 9112 section 3.2.3).
fn find_userinfo(text: &[u8], bare: bool, edits: &mut Edits<'_>) {
    if memchr(b'@', text).is_none() {
        return;
    }
    let leading = text.starts_with(b"//").then_some(2);
    let bare = (bare && !text.starts_with(b"/")).then_some(0);
    let starts = leading.or(bare).into_iter().chain(find_iter(text, b"://").map(|at| at + 3));
    for start in starts {
        let (before, rest) = text.split_at_checked(start).unwrap_or((text, &[]));
        // The `&` behind a URL that is a parameter's value ends the value.
        let embedded = before.iter().any(|b| matches!(b, b'?' | b'#' | b'&' | b';' | b'='));
        let ends = |b: &u8| {
            matches!(b, b'/' | b'?' | b'#') || b.is_ascii_whitespace() || (embedded && *b == b'&')
        };
        let authority = rest.iter().position(ends).and_then(|end| rest.get(..end)).unwrap_or(rest);
        if let Some(at) = memrchr(b'@', authority) {
            edits.hide(start, start + at, REDACTED_USERINFO);
        }
    }
}

/// Finds the values of parameters with secret names.
fn find_secret_values(text: &[u8], edits: &mut Edits<'_>) {
    let mut at = 0;
    let mut in_path = true;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let parameter = rest.get(..segment_len(rest, in_path)).unwrap_or(rest);
        let Some(secret) = secret_start(parameter) else {
            at += parameter.len();
            in_path &= !matches!(text.get(at), Some(b'?' | b'#'));
            at += 1;
            continue;
        };
        let hidden = rest.get(secret..).unwrap_or_default();
        let end = if in_path { memchr2(b'/', b'?', hidden) } else { memchr(b'&', hidden) };
        let end = at + secret + end.unwrap_or(hidden.len());
        edits.hide(at + secret, end, REDACTED);
        at = end;
    }
}

/// Bytes up to the next place where a parameter can begin.
fn segment_len(text: &[u8], in_path: bool) -> usize {
    let ends = |b: &u8| matches!(b, b'?' | b'#' | b'&' | b';') || (in_path && *b == b'/');
    text.iter().position(ends).unwrap_or(text.len())
}

/// Where in `name=value` the secret begins: behind the `=` of a secret name, or at the start of
/// a name or value that has a secret encoded in it. `a=token=x` has two names.
fn secret_start(parameter: &[u8]) -> Option<usize> {
    let mut start = 0;
    for equals in memchr_iter(b'=', parameter) {
        let name = parameter.get(start..equals)?;
        if hides_secret(name) {
            return Some(start);
        }
        if is_secret(name) {
            return Some(equals + 1);
        }
        start = equals + 1;
    }
    hides_secret(parameter.get(start..)?).then_some(start)
}

/// Whether a URL with a secret is encoded in `text`, e.g. `next=%2Fcb%3Ftoken%3Dabc`.
fn hides_secret(text: &[u8]) -> bool {
    let mut decoded = percent_decode(text);
    for _ in 0..DECODINGS {
        let Some(inner) = decoded else { return false };
        let mut edits = Edits::new(&inner);
        find_userinfo(&inner, false, &mut edits);
        if !edits.hidden.is_empty() || names_secret(&inner) {
            return true;
        }
        decoded = percent_decode(&inner);
    }
    decoded.is_some()
}

/// Whether decoded `text` has a secret parameter. Its own escapes are the caller's next round.
fn names_secret(text: &[u8]) -> bool {
    text.split(|b| matches!(b, b'?' | b'#' | b'&' | b';' | b'/')).any(|parameter| {
        let equals = memchr(b'=', parameter).and_then(|at| parameter.split_at_checked(at));
        equals.is_some_and(|(name, value)| {
            let value = value.strip_prefix(b"=").unwrap_or(value);
            is_secret(name) && !is_redacted(value, REDACTED)
        })
    })
}

/// Whether `value` is the marker already, perhaps cut short by the cap on values.
fn is_redacted(value: &[u8], marker: &[u8]) -> bool {
    value == marker || value.strip_suffix(ELLIPSIS).is_some_and(|kept| marker.starts_with(kept))
}

/// The ranges of a text that are to be hidden.
struct Edits<'a> {
    text: &'a [u8],
    hidden: Vec<Range>,
}

struct Range {
    start: usize,
    end: usize,
    marker: &'static [u8],
}

impl<'a> Edits<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, hidden: Vec::new() }
    }

    /// Hides a range, unless it is empty or holds the marker already.
    fn hide(&mut self, start: usize, end: usize, marker: &'static [u8]) {
        let old = self.text.get(start..end).unwrap_or_default();
        if !old.is_empty() && !is_redacted(old, marker) {
            self.hidden.push(Range { start, end, marker });
        }
    }

    /// The text with a marker for each range; ranges that overlap are one. `None`: no range.
    fn finish(mut self) -> Option<Vec<u8>> {
        self.hidden.sort_by_key(|range| range.start);
        let mut ranges = self.hidden.into_iter().peekable();
        ranges.peek()?;
        let mut shown = Vec::with_capacity(self.text.len() + REDACTED_USERINFO.len());
        let mut copied = 0;
        while let Some(mut range) = ranges.next() {
            while let Some(next) = ranges.next_if(|next| next.start <= range.end) {
                range = Range { end: range.end.max(next.end), marker: REDACTED, ..range };
            }
            shown.extend_from_slice(self.text.get(copied..range.start).unwrap_or_default());
            shown.extend_from_slice(range.marker);
            copied = range.end;
        }
        shown.extend_from_slice(self.text.get(copied..).unwrap_or_default());
        Some(shown)
    }
}

#[cfg(test)]
mod tests;
