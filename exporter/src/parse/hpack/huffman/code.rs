//! The code of RFC 7541 appendix B, and the tables it is decoded by.
//!
//! The code is canonical: codes of one length are consecutive numbers in the order of their
//! symbols, and each length goes on where the one before ended. So the lengths say it all.

#![allow(clippy::indexing_slicing, reason = "all of it is evaluated by the compiler")]

/// The symbol that is never sent (RFC 7541 section 5.2).
const EOS: u16 = 256;
const SYMBOLS_LEN: usize = 257;
/// How many bits the code of each octet, and of EOS, has.
#[rustfmt::skip]
pub(super) const LENGTHS: [u8; SYMBOLS_LEN] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
/// The longest code.
const BITS_MAX: u8 = 30;

/// The codes of one length, each at the top of a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub(super) first: u32,
    /// The first code that is longer.
    pub(super) end: u32,
    /// Where in `SYMBOLS` its symbols begin.
    pub(super) start: usize,
}

/// Symbols by the length of their codes, then in order.
pub(super) static SYMBOLS: [u16; SYMBOLS_LEN] = symbols();
/// The codes by length.
pub(super) static BY_LENGTH: [Length; BITS_MAX as usize + 1] = by_length();
/// By the next eight bits: the symbol and the length of its code; 0: it is longer.
pub(super) static SHORT: [(u16, u8); 256] = short();

const fn symbols() -> [u16; SYMBOLS_LEN] {
    let mut symbols = [0; SYMBOLS_LEN];
    let (mut at, mut bits) = (0, 0);
    while bits <= BITS_MAX {
        let mut symbol = 0;
        while symbol <= EOS {
            if LENGTHS[symbol as usize] == bits {
                symbols[at] = symbol;
                at += 1;
            }
            symbol += 1;
        }
        bits += 1;
    }
    symbols
}

const fn by_length() -> [Length; BITS_MAX as usize + 1] {
    let symbols = symbols();
    let mut lengths = [Length { first: 0, end: 0, start: 0 }; BITS_MAX as usize + 1];
    let (mut at, mut bits, mut end) = (0, 1, 0_u32);
    while bits <= BITS_MAX {
        let (first, start) = (end, at);
        while at < symbols.len() && LENGTHS[symbols[at] as usize] == bits {
            at += 1;
            // The last code ends where words do.
            end = end.saturating_add(1 << (u32::BITS - bits as u32));
        }
        lengths[bits as usize] = Length { first, end, start };
        bits += 1;
    }
    lengths
}

const fn short() -> [(u16, u8); 256] {
    let (symbols, lengths) = (symbols(), by_length());
    let mut short = [(0, 0); 256];
    let mut octet = 0_u32;
    while octet <= u8::MAX as u32 {
        let word = octet << (u32::BITS - 8);
        let mut bits = 1;
        while bits <= 8 {
            let length = lengths[bits as usize];
            if word >= length.first && word < length.end {
                let nth = (word - length.first) >> (u32::BITS - bits as u32);
                short[octet as usize] = (symbols[length.start + nth as usize], bits);
                break;
            }
            bits += 1;
        }
        octet += 1;
    }
    short
}
