//! Numbers and addresses as text, without the machinery of `fmt`, which costs more than the rest
//! of an attribute.

use std::net::IpAddr;

/// Appends a number in decimal digits.
pub(crate) fn push_decimal(text: &mut String, mut number: u64) {
    let mut digits = ['0'; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = char::from(b'0' + (number % 10).to_le_bytes()[0]);
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    text.extend(digits.iter().skip(digits.len() - used));
}

/// Appends an address as its `Display` writes it.
pub(crate) fn push_ip(text: &mut String, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => {
            for (index, octet) in v4.octets().into_iter().enumerate() {
                if index > 0 {
                    text.push('.');
                }
                push_decimal(text, u64::from(octet));
            }
        }
        IpAddr::V6(v6) => text.push_str(&v6.to_string()),
    }
}

/// Appends a number as 16 hexadecimal digits.
pub(crate) fn push_hex(text: &mut String, number: u64) {
    let digits = number.to_be_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    text.extend(digits.map(|digit| char::from(if digit < 10 { b'0' } else { b'a' - 10 } + digit)));
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::{any, proptest};

    use super::{push_decimal, push_hex, push_ip};

    proptest! {
        #[test]
        fn what_is_written_is_what_fmt_writes(number in any::<u64>(), bits in 0_u32..64, ip in any::<IpAddr>()) {
            let number = number >> bits;
            let mut text = String::new();
            push_decimal(&mut text, number);
            text.push(' ');
            push_hex(&mut text, number);
            text.push(' ');
            push_ip(&mut text, ip);
            assert_eq!(text, format!("{number} {number:016x} {ip}"));
        }
    }
}
