//! Numbers and addresses as text, without the machinery of `fmt`, which costs more than the rest
//! of an attribute.

use std::net::{IpAddr, Ipv4Addr};

use crate::flow::Endpoint;

/// Appends a number in decimal digits.
pub(crate) fn push_decimal(text: &mut String, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10).to_le_bytes()[0];
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    text.push_str(ascii(digits.get(start..).unwrap_or_default()));
}

/// Appends an address as its `Display` writes it.
pub(crate) fn push_ip(text: &mut String, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => push_ipv4(text, v4),
        IpAddr::V6(v6) => text.push_str(&v6.to_string()),
    }
}

/// From the last digit to the first, so that no octet has to be measured.
fn push_ipv4(text: &mut String, ip: Ipv4Addr) {
    let mut longest = *b"255.255.255.255";
    let mut start = longest.len();
    let mut put = |byte| {
        start -= 1;
        longest[start] = byte;
    };
    for (index, mut octet) in ip.octets().into_iter().rev().enumerate() {
        if index > 0 {
            put(b'.');
        }
        while octet >= 10 {
            put(b'0' + octet % 10);
            octet /= 10;
        }
        put(b'0' + octet);
    }
    text.push_str(ascii(longest.get(start..).unwrap_or_default()));
}

/// Appends an endpoint as its `Display` writes it.
pub(crate) fn push_endpoint(text: &mut String, endpoint: Endpoint) {
    let ip = endpoint.ip();
    text.push_str(if ip.is_ipv6() { "[" } else { "" });
    push_ip(text, ip);
    text.push_str(if ip.is_ipv6() { "]:" } else { ":" });
    push_decimal(text, u64::from(endpoint.port));
}

/// Appends a number as 16 hexadecimal digits.
pub(crate) fn push_hex(text: &mut String, number: u64) {
    let mut digits = [0; 16];
    put_hex(&mut digits, &number.to_be_bytes());
    text.push_str(ascii(&digits));
}

/// Writes each byte as two hexadecimal digits.
pub(crate) fn put_hex(digits: &mut [u8], bytes: &[u8]) {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' - 10 + value };
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
    }
}

fn ascii(digits: &[u8]) -> &str {
    std::str::from_utf8(digits).expect("digits are ASCII")
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::{any, proptest};

    use super::{push_decimal, push_endpoint, push_hex, push_ip};
    use crate::flow::Endpoint;

    proptest! {
        #[test]
        fn what_is_written_is_what_fmt_writes(number in any::<u64>(), bits in 0_u32..64, end in any::<SocketAddr>()) {
            let (number, end) = (number >> bits, Endpoint::from(end));
            let mut text = String::new();
            push_decimal(&mut text, number);
            text.push(' ');
            push_hex(&mut text, number);
            text.push(' ');
            push_ip(&mut text, end.ip());
            text.push(' ');
            push_endpoint(&mut text, end);
            assert_eq!(text, format!("{number} {number:016x} {} {end}", end.ip()));
        }
    }
}
