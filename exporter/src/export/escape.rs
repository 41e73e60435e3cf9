//! Bytes from the wire as text: for OTLP, which takes only UTF-8, and for terminals, which obey
//! control characters.
//!
//! Escapes are for eyes, not for machines: a value that holds a backslash and no bad byte is left
//! as it is, so `\xff` in an output may also be what was sent.

use std::borrow::Cow;
use std::fmt::Write;

/// The bytes as UTF-8. Where they are none as a whole, they are no text, whatever some of them look
/// like: every byte from 0x80 up becomes `\xHH`, with lower-case digits. Field values may hold any
/// (obs-text, RFC 9110 section 5.5).
#[inline]
pub(crate) fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(escaped(bytes)),
    }
}

/// The same as bytes, for those who only copy them: quicker for ASCII, which nearly all text is.
#[inline]
pub(crate) fn utf8_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.is_ascii() {
        return Cow::Borrowed(bytes);
    }
    match utf8(bytes) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for byte in bytes {
        match char::from(*byte) {
            c if c.is_ascii() => text.push(c),
            _ => push_hex(&mut text, *byte),
        }
    }
    text
}

fn push_hex(text: &mut String, byte: u8) {
    write!(text, "\\x{byte:02x}").expect("a String takes everything");
}

/// Appends the bytes as text that is safe to print on one line: what [`utf8`] gives, and every
/// control character and every character that changes the direction or is not seen escaped.
pub(crate) fn push_printable(text: &mut String, bytes: &[u8]) {
    if bytes.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~')) {
        text.push_str(&utf8(bytes));
        return;
    }
    for c in utf8(bytes).chars() {
        match u8::try_from(c) {
            Ok(byte) if byte.is_ascii_control() => push_hex(text, byte),
            _ if changes_display(c) => {
                write!(text, "\\u{{{:x}}}", u32::from(c)).expect("a String takes everything");
            }
            _ => text.push(c),
        }
    }
}

/// C1 controls, line and paragraph separators, and invisible or bidirectional formatting.
fn changes_display(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{changes_display, push_printable, utf8};

    #[test]
    fn a_byte_that_is_not_utf8_stays_visible() {
        assert_eq!(utf8(b"caf\xe9 \xf0\x9f\x98\x80 \xff"), "caf\\xe9 \\xf0\\x9f\\x98\\x80 \\xff");
        assert_eq!(utf8(b"caf\xc3\xa9"), "caf\u{e9}");
    }

    #[test]
    fn a_terminal_sequence_is_shown_and_not_obeyed() {
        let mut text = String::new();
        push_printable(&mut text, "\x1b[2J\r\n\t\u{9b}31m\u{202e}abc\u{e9}".as_bytes());
        assert_eq!(text, "\\x1b[2J\\x0d\\x0a\\x09\\u{9b}31m\\u{202e}abc\u{e9}");
    }

    proptest! {
        #[test]
        fn nothing_printable_controls_a_terminal(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut text = String::new();
            push_printable(&mut text, &bytes);
            assert!(!text.chars().any(changes_display), "{text:?}");
        }
    }
}
