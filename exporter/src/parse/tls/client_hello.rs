//! ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2).
//!
//! An extension whose body breaks its grammar is there, and says nothing. Where the list of
//! extensions itself does, those before are told, and there is no fingerprint.

use crate::tls::{ClientHello, Timing, extension};

use super::fingerprint::{ja3, ja4};
use super::reader::Reader;

const RANDOM_BYTES: usize = 32;
/// The type of a DNS name in `server_name` (RFC 6066 section 3).
const HOST_NAME: u8 = 0;

const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

pub(super) fn parse(body: &[u8], timing: Timing) -> Option<ClientHello> {
    let mut reader = Reader::new(body);
    let mut hello = ClientHello { legacy_version: reader.u16()?, timing, ..Default::default() };
    reader.bytes(RANDOM_BYTES)?;
    hello.session_id = reader.vec8()?.rest().to_vec();
    hello.cipher_suites = reader.vec16()?.u16s()?;
    let _compression_methods = reader.vec8()?;
    let whole = reader.extensions(|kind, content| {
        hello.extensions.push(kind);
        extend(&mut hello, kind, content);
    });
    hello.is_malformed = whole.is_none();
    hello.ja3 = whole.map(|()| ja3(&hello));
    hello.ja4 = whole.map(|()| ja4(&hello));
    Some(hello)
}

fn extend(hello: &mut ClientHello, kind: u16, mut content: Reader<'_>) {
    match kind {
        extension::SERVER_NAME => hello.server_name = server_name(content),
        SUPPORTED_GROUPS => hello.supported_groups = numbers(content.vec16()),
        EC_POINT_FORMATS => {
            hello.point_formats =
                content.vec8().map_or(Vec::new(), |formats| formats.rest().to_vec());
        }
        SIGNATURE_ALGORITHMS => hello.signature_algorithms = numbers(content.vec16()),
        ALPN => hello.alpn = protocols(content).unwrap_or_default(),
        SUPPORTED_VERSIONS => hello.supported_versions = numbers(content.vec8()),
        extension::SESSION_TICKET => hello.shows_ticket = !content.is_empty(),
        _ => {}
    }
}

fn numbers(list: Option<Reader<'_>>) -> Vec<u16> {
    list.and_then(Reader::u16s).unwrap_or_default()
}

fn server_name(mut content: Reader<'_>) -> Option<Vec<u8>> {
    let mut names = content.vec16()?;
    while !names.is_empty() {
        let kind = names.u8()?;
        let name = names.vec16()?.rest();
        if kind == HOST_NAME && !name.is_empty() {
            return Some(name.to_vec());
        }
    }
    None
}

fn protocols(mut content: Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let mut list = content.vec16()?;
    let mut protocols = Vec::new();
    while !list.is_empty() {
        protocols.push(list.vec8()?.rest().to_vec());
    }
    Some(protocols)
}
