//! Fingerprints of hellos: JA3 and JA3S, and JA4 of clients (FoxIO, BSD 3-Clause: the other
//! fingerprints of that family are not free).
//!
//! All leave GREASE out. JA3 is the MD5 of lists in wire order; JA4 is readable facts, and hashes
//! of sorted lists, so that clients that shuffle their extensions stay who they are.

use std::fmt::Write;

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::tls::extension::SERVER_NAME;
use crate::tls::{ClientHello, ServerHello, is_grease};

const ALPN: u16 = 16;

/// Why writing into a `String` is not checked further.
const NEVER_FAILS: &str = "a String takes everything";

/// The JA3 fingerprint.
pub(super) fn ja3(hello: &ClientHello) -> String {
    let formats: Vec<u16> = hello.point_formats.iter().map(|format| u16::from(*format)).collect();
    let mut text = hello.legacy_version.to_string();
    let lists = [&hello.cipher_suites, &hello.extensions, &hello.supported_groups];
    for list in lists {
        text.push(',');
        push_decimals(&mut text, list.iter().copied().filter(|number| !is_grease(*number)));
    }
    text.push(',');
    push_decimals(&mut text, formats.into_iter());
    md5(&text)
}

/// The JA3S fingerprint.
pub(super) fn ja3s(hello: &ServerHello) -> String {
    let mut text = format!("{},{},", hello.legacy_version, hello.cipher_suite);
    push_decimals(&mut text, hello.extensions.iter().copied());
    md5(&text)
}

fn push_decimals(text: &mut String, numbers: impl Iterator<Item = u16>) {
    for (at, number) in numbers.enumerate() {
        let dash = if at > 0 { "-" } else { "" };
        write!(text, "{dash}{number}").expect(NEVER_FAILS);
    }
}

/// The JA4 fingerprint of a hello over TCP.
pub(super) fn ja4(hello: &ClientHello) -> String {
    let ciphers = without_grease(&hello.cipher_suites);
    let extensions = without_grease(&hello.extensions);
    let mut text = format!(
        "t{version}{name}{ciphers:02}{extensions:02}",
        version = version(hello),
        name = if hello.has(SERVER_NAME) { 'd' } else { 'i' },
        ciphers = ciphers.len().min(99),
        extensions = extensions.len().min(99),
    );
    push_protocol(&mut text, hello.alpn.first().map_or(&[], Vec::as_slice));
    let ciphers = hexadecimal(&sorted(ciphers));
    let extensions: Vec<u16> =
        extensions.into_iter().filter(|kind| !matches!(*kind, SERVER_NAME | ALPN)).collect();
    let mut listed = hexadecimal(&sorted(extensions));
    let signatures = without_grease(&hello.signature_algorithms);
    if !listed.is_empty() && !signatures.is_empty() {
        listed.push('_');
        listed.push_str(&hexadecimal(&signatures));
    }
    for list in [ciphers, listed] {
        text.push('_');
        text.push_str(&sha256(&list));
    }
    text
}

/// The highest version that is offered.
fn version(hello: &ClientHello) -> &'static str {
    let offered = without_grease(&hello.supported_versions).into_iter().max();
    match offered.unwrap_or(hello.legacy_version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// The first and the last character of a protocol; of its hexadecimal form, if one of them is
/// neither letter nor digit.
fn push_protocol(text: &mut String, protocol: &[u8]) {
    let (Some(first), Some(last)) = (protocol.first(), protocol.last()) else {
        text.push_str("00");
        return;
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        text.extend([char::from(*first), char::from(*last)]);
    } else {
        write!(text, "{:x}{:x}", first >> 4, last & 0x0f).expect(NEVER_FAILS);
    }
}

fn without_grease(numbers: &[u16]) -> Vec<u16> {
    numbers.iter().copied().filter(|number| !is_grease(*number)).collect()
}

fn sorted(mut numbers: Vec<u16>) -> Vec<u16> {
    numbers.sort_unstable();
    numbers
}

/// `002f,0035`
fn hexadecimal(numbers: &[u16]) -> String {
    let mut text = String::with_capacity(numbers.len() * 5);
    for (at, number) in numbers.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        write!(text, "{comma}{number:04x}").expect(NEVER_FAILS);
    }
    text
}

fn md5(text: &str) -> String {
    digits(&Md5::digest(text.as_bytes()))
}

/// The first 12 digits; of nothing, zeros.
fn sha256(text: &str) -> String {
    match text {
        "" => "0".repeat(12),
        _ => digits(Sha256::digest(text.as_bytes()).get(..6).unwrap_or_default()),
    }
}

fn digits(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect(NEVER_FAILS);
    }
    text
}
