//! Octets as text in presentation form (RFC 1035 section 5.1, RFC 4343 section 2.1): printable
//! ASCII, and everything else as a backslash with three decimal digits.

/// Appends one label of a name. A dot in it is no separator, so it is escaped.
pub(super) fn push_label(text: &mut String, label: &[u8]) {
    for byte in label {
        match byte {
            b'.' | b'\\' => push_escaped(text, *byte),
            b'!'..=b'~' => text.push(char::from(*byte)),
            _ => push_decimal(text, *byte),
        }
    }
}

/// Appends a character-string in quotation marks.
pub(super) fn push_quoted(text: &mut String, string: &[u8]) {
    text.push('"');
    for byte in string {
        match byte {
            b'"' | b'\\' => push_escaped(text, *byte),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => push_decimal(text, *byte),
        }
    }
    text.push('"');
}

/// Appends a character-string that stands without quotation marks.
pub(super) fn push_bare(text: &mut String, string: &[u8]) {
    for byte in string {
        match byte {
            b'"' | b'\\' | b'(' | b')' | b';' | b'@' | b'$' => push_escaped(text, *byte),
            b'!'..=b'~' => text.push(char::from(*byte)),
            _ => push_decimal(text, *byte),
        }
    }
}

fn push_escaped(text: &mut String, byte: u8) {
    text.push('\\');
    text.push(char::from(byte));
}

fn push_decimal(text: &mut String, byte: u8) {
    text.push('\\');
    for digit in [byte / 100, byte / 10 % 10, byte % 10] {
        text.push(char::from(b'0' + digit));
    }
}

#[cfg(test)]
mod tests {
    use super::{push_bare, push_label, push_quoted};

    fn pushed(push: fn(&mut String, &[u8]), bytes: &[u8]) -> String {
        let mut text = String::new();
        push(&mut text, bytes);
        text
    }

    #[test]
    fn odd_octets_of_a_label_are_escaped() {
        assert_eq!(pushed(push_label, b"a.b\\c d\x00\xff_~"), "a\\.b\\\\c\\032d\\000\\255_~");
    }

    #[test]
    fn a_string_in_quotation_marks_keeps_its_blanks() {
        assert_eq!(pushed(push_quoted, b"v=spf1 \"-all\" \n"), "\"v=spf1 \\\"-all\\\" \\010\"");
    }

    #[test]
    fn a_bare_string_has_no_blank() {
        assert_eq!(pushed(push_bare, b"a b;c"), "a\\032b\\;c");
    }
}
