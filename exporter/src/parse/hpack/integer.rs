//! Integers with a prefix (RFC 7541 section 5.1).

/// Octets after the prefix that are read: enough for 28 bits, more than any size or index needs.
const OCTETS_MAX: u32 = 4;

/// Takes an integer whose prefix is the low `bits` of the first octet. `None`: it is not whole, or
/// larger than is read.
pub(super) fn take(octets: &mut &[u8], bits: u32) -> Option<usize> {
    let limit = (1 << bits) - 1;
    let (first, rest) = octets.split_first()?;
    *octets = rest;
    let prefix = usize::from(*first) & limit;
    if prefix < limit {
        return Some(prefix);
    }
    let mut value = limit;
    for at in 0..OCTETS_MAX {
        let (octet, rest) = octets.split_first()?;
        *octets = rest;
        value += usize::from(octet & 0x7f) << (7 * at);
        if octet & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::take;

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for (bits, octets, value) in [
            (5, &[0b1110_1010_u8][..], 10),
            (5, &[0b0001_1111, 0b1001_1010, 0b0000_1010], 1337),
            (8, &[42], 42),
        ] {
            let mut rest = octets;
            assert_eq!((take(&mut rest, bits), rest), (Some(value), &[][..]), "{octets:?}");
        }
    }

    #[test]
    fn an_integer_is_whole_or_none() {
        let whole: &[u8] = &[0x7f, 0xff, 0xff, 0xff, 0x7f];
        for cut in 0..whole.len() {
            assert_eq!(take(&mut &whole[..cut], 7), None, "cut at {cut}");
        }
        assert_eq!(take(&mut &*whole, 7), Some((1 << 28) - 1 + 127));
    }

    #[test]
    fn an_integer_that_does_not_end_is_none() {
        assert_eq!(take(&mut [0xff_u8; 99].as_slice(), 7), None);
        assert_eq!(take(&mut [0x1f, 0x80, 0x80, 0x80, 0x80, 0].as_slice(), 5), None);
    }
}
