//! How much of one exchange or handshake is exported: one in, the same with what is too large cut
//! short or taken away and counted.
//!
//! Loki refuses a line of more than 128 entries or 64 KiB; these caps leave room for the
//! attributes that are not fields.

use crate::dns::Lookup;
use crate::exchange::{Dropped, Exchange};
use crate::fields::Fields;
use crate::tls::Handshake;

/// A field with a longer name is dropped: a shortened name would be another name.
pub(super) const NAME_MAX_BYTES: usize = 256;
/// A longer value, or request target, is cut short.
pub(super) const VALUE_MAX_BYTES: usize = 2048;
/// A longer method is cut short.
pub(super) const METHOD_MAX_BYTES: usize = 64;
/// A longer reason phrase is cut short.
pub(super) const REASON_MAX_BYTES: usize = 256;
/// Field lines of one exchange, interim responses and trailers included.
pub(super) const LINES_MAX: usize = 64;
/// Numbers of one list of a hello.
pub(super) const NUMBERS_MAX: usize = 256;
/// Bytes of one exchange: names, values and request target.
pub(super) const TOTAL_MAX_BYTES: usize = 32 << 10;

/// The last character of everything that was cut short: `…` in UTF-8.
pub(super) const ELLIPSIS: &[u8] = "…".as_bytes();

/// The first bytes of `value`, so many that `…` fits behind them and no UTF-8 character is
/// cut; `None` if the value is short enough as it is.
pub(super) fn cut(value: &[u8], max: usize) -> Option<Vec<u8>> {
    let kept = max - ELLIPSIS.len();
    if value.len() <= max {
        return None;
    }
    let is_boundary = |at: &usize| value.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    // A character has at most three bytes behind its first: what is longer is not UTF-8.
    let end = (kept - 3..=kept).rev().find(is_boundary).unwrap_or(kept);
    Some([value.get(..end).unwrap_or_default(), ELLIPSIS].concat())
}

/// What an exchange, or a part of it, takes of the caps.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    lines: usize,
    bytes: usize,
}

impl Size {
    /// Adds one field line.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        self.lines += 1;
        self.bytes += name.len() + value.len();
    }

    /// Adds a request target.
    pub(super) fn add_target(&mut self, target: &[u8]) {
        self.bytes += target.len();
    }

    /// Whether two sides together fit the caps.
    pub(super) fn fits_with(self, other: Self) -> bool {
        self.lines + other.lines <= LINES_MAX && self.bytes + other.bytes <= TOTAL_MAX_BYTES
    }

    /// What is left for a side when the other takes this much; a side always gets half.
    fn left_for_other(self) -> Self {
        Self {
            lines: LINES_MAX.saturating_sub(self.lines).max(LINES_MAX / 2),
            bytes: TOTAL_MAX_BYTES.saturating_sub(self.bytes).max(TOTAL_MAX_BYTES / 2),
        }
    }

    /// Takes one field line from what is left; false if there is no room for it.
    fn take(&mut self, name: &[u8], value: &[u8]) -> bool {
        let size = name.len() + value.len();
        let fits = self.lines > 0 && size <= self.bytes;
        if fits {
            self.lines -= 1;
            self.bytes -= size;
        }
        fits
    }
}

/// Takes field lines away until the exchange fits; `request` and `response` are the sizes of
/// its two sides. Heads keep their first lines; trailers, then interim responses, go first.
pub(super) fn trim(exchange: &mut Exchange, request: Size, response: Size) {
    let mut dropped = Dropped::default();
    let mut left = response.left_for_other();
    if let Some(request) = &mut exchange.request {
        left.bytes = left.bytes.saturating_sub(request.target.len());
        dropped.request += trim_fields(&mut request.fields, &mut left);
    }
    if let Some(end) = &mut exchange.request_end {
        dropped.request += trim_fields(&mut end.trailers, &mut left);
    }
    let mut left = request.left_for_other();
    if let Some(response) = &mut exchange.response {
        dropped.response += trim_fields(&mut response.fields, &mut left);
    }
    for interim in &mut exchange.interim {
        dropped.response += trim_fields(&mut interim.fields, &mut left);
    }
    if let Some(end) = &mut exchange.response_end {
        dropped.response += trim_fields(&mut end.trailers, &mut left);
    }
    exchange.dropped.request += dropped.request;
    exchange.dropped.response += dropped.response;
}

/// Keeps the lines there is room for; gives the number of the others.
fn trim_fields(fields: &mut Fields, left: &mut Size) -> u32 {
    let mut kept = Fields::with_room_for(fields);
    for (name, value) in fields.iter().filter(|(name, value)| left.take(name, value)) {
        kept.push(name, value);
    }
    let dropped = fields.len() - kept.len();
    *fields = kept;
    u32::try_from(dropped).unwrap_or(u32::MAX)
}

/// Cuts the lists and names of both hellos. Their fingerprints are those of all there was.
pub(super) fn trim_handshake(handshake: &mut Handshake) {
    let mut cut_any = false;
    if let Some(hello) = &mut handshake.client_hello {
        for list in [
            &mut hello.cipher_suites,
            &mut hello.extensions,
            &mut hello.supported_versions,
            &mut hello.supported_groups,
            &mut hello.signature_algorithms,
        ] {
            cut_any |= trim_list(list, NUMBERS_MAX);
        }
        cut_any |= trim_list(&mut hello.point_formats, NUMBERS_MAX);
        cut_any |= trim_list(&mut hello.alpn, LINES_MAX);
        if let Some(name) = &mut hello.server_name
            && let Some(short) = cut(name, NAME_MAX_BYTES)
        {
            *name = short;
        }
    }
    if let Some(hello) = &mut handshake.server_hello {
        cut_any |= trim_list(&mut hello.extensions, NUMBERS_MAX);
    }
    handshake.lists_cut |= cut_any;
}

/// Cuts the data of answers; their number and their names have caps where they are read.
pub(super) fn trim_lookup(lookup: &mut Lookup) {
    let messages = [&mut lookup.query, &mut lookup.response].into_iter().flatten();
    for answer in messages.flat_map(|message| &mut message.answers) {
        if let Some(short) = cut(answer.data.as_bytes(), VALUE_MAX_BYTES) {
            answer.data = String::from_utf8(short).expect("no character is cut");
        }
    }
}

/// Keeps the first `max` items; gives whether there were more.
fn trim_list<T>(list: &mut Vec<T>, max: usize) -> bool {
    let is_longer = list.len() > max;
    list.truncate(max);
    is_longer
}

#[cfg(test)]
mod tests {
    use super::{ELLIPSIS, cut};

    #[test]
    fn a_value_that_fits_is_not_cut() {
        assert_eq!(cut(&[b'x'; 16], 16), None);
    }

    #[test]
    fn a_cut_value_ends_in_an_ellipsis_and_is_never_longer_than_the_cap() {
        for pad in 0..8 {
            let value = format!("{}{}", "x".repeat(pad), "🦀é€".repeat(9));
            let short = cut(value.as_bytes(), 16).expect("it is longer than 16 bytes");
            let text = str::from_utf8(&short).expect("no character is cut");
            assert!(text.ends_with('…') && short.len() <= 16, "{text:?}");
            assert!(short.len() > 16 - 4, "{text:?} is not shorter than it must be");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_cut_anywhere() {
        let short = cut(&[0x80; 99], 16).expect("it is longer than 16 bytes");
        assert_eq!(short.len(), 16);
        assert!(short.ends_with(ELLIPSIS));
    }
}
