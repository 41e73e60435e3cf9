//! Strings in Huffman code (RFC 7541 section 5.2).

mod code;

use code::{BY_LENGTH, SHORT, SYMBOLS};

/// The octets of a string. `None`: EOS is in it, or what fills its last octet is not the begin of
/// EOS.
pub(super) fn decode(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(encoded.len() * 8 / 5);
    let mut rest = encoded.iter();
    // The bits that come next, the first of them the highest.
    let (mut window, mut bits) = (0_u64, 0);
    loop {
        while bits <= u64::BITS - 8
            && let Some(octet) = rest.next()
        {
            bits += 8;
            window |= u64::from(*octet) << (u64::BITS - bits);
        }
        let (symbol, len) = next(window)?;
        if len > bits {
            let ones = u64::MAX.checked_shl(u64::BITS - bits).unwrap_or(0);
            return (bits < 8 && window == ones).then_some(octets);
        }
        octets.push(u8::try_from(symbol).ok()?);
        window <<= len;
        bits -= len;
    }
}

/// The symbol whose code begins the window, and the code's length.
fn next(window: u64) -> Option<(u16, u32)> {
    let [first, second, third, fourth, ..] = window.to_be_bytes();
    match SHORT.get(usize::from(first)) {
        Some((symbol, len)) if *len > 0 => Some((*symbol, u32::from(*len))),
        _ => long(u32::from_be_bytes([first, second, third, fourth])),
    }
}

fn long(word: u32) -> Option<(u16, u32)> {
    let (bits, length) = (0..).zip(&BY_LENGTH).find(|(_, length)| word < length.end)?;
    let nth = (word - length.first) >> (u32::BITS - bits);
    let symbol = SYMBOLS.get(length.start + usize::try_from(nth).ok()?)?;
    Some((*symbol, bits))
}

#[cfg(test)]
mod tests {
    use super::code::LENGTHS;
    use super::decode;

    /// The code of each octet, by the rule for canonical codes as RFC 1951 section 3.2.2 has it.
    fn codes() -> Vec<(u32, u8)> {
        let mut order: Vec<usize> = (0..=256).collect();
        order.sort_by_key(|symbol| (LENGTHS[*symbol], *symbol));
        let (mut codes, mut code, mut bits) = (vec![(0, 0); 257], 0, 0);
        for symbol in order {
            code <<= LENGTHS[symbol] - bits;
            bits = LENGTHS[symbol];
            codes[symbol] = (code, bits);
            code += 1;
        }
        codes
    }

    /// Bits from the highest on, filled up with ones to whole octets.
    fn pack(codes: &[(u32, u8)]) -> Vec<u8> {
        let mut bits: Vec<bool> = Vec::new();
        for (code, len) in codes {
            bits.extend((0..*len).rev().map(|bit| code >> bit & 1 == 1));
        }
        bits.resize(bits.len().next_multiple_of(8), true);
        bits.chunks(8).map(|octet| octet.iter().fold(0, |o, bit| o << 1 | u8::from(*bit))).collect()
    }

    #[test]
    fn every_octet_is_decoded_at_every_place_in_an_octet() {
        let codes = codes();
        for octet in 0..=255_u8 {
            for before in 0..8 {
                let text = [vec![b'0'; before], vec![octet, b'a']].concat();
                let packed: Vec<_> = text.iter().map(|o| codes[usize::from(*o)]).collect();
                assert_eq!(decode(&pack(&packed)), Some(text), "{octet} after {before}");
            }
        }
    }

    #[test]
    fn codes_of_the_rfc_are_those_of_the_rule() {
        for (symbol, code) in [(0, 0x1ff8), (10, 0x3fff_fffc), (195, 0x7fff1), (256, 0x3fff_ffff)] {
            assert_eq!(codes()[symbol].0, code, "{symbol}");
        }
    }

    #[test]
    fn only_fewer_than_eight_ones_may_follow_the_last_code() {
        assert_eq!(decode(&[0x1f]).as_deref(), Some(&b"a"[..]));
        for wrong in [&[0x18][..], &[0x1e], &[0x1f, 0xff], &[0xff]] {
            assert_eq!(decode(wrong), None, "{wrong:x?}");
        }
    }

    #[test]
    fn a_string_that_holds_eos_is_none() {
        let codes = codes();
        assert_eq!(decode(&pack(&[codes[97], codes[256], codes[97]])), None);
        assert_eq!(decode(&[0xff; 8]), None);
    }
}
