//! ServerHello and HelloRetryRequest (RFC 8446 sections 4.1.3 and 4.1.4, RFC 5246 section 7.4.1.3).

use crate::tls::{ServerHello, Timing};

use super::fingerprint::ja3s;
use super::reader::Reader;

const RANDOM_BYTES: usize = 32;
/// The random of a ServerHello that is a HelloRetryRequest: SHA-256 of that word (RFC 8446
/// section 4.1.3).
const RETRY_RANDOM: [u8; RANDOM_BYTES] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

pub(super) fn parse(body: &[u8], timing: Timing) -> Option<ServerHello> {
    let mut reader = Reader::new(body);
    let mut hello = ServerHello { legacy_version: reader.u16()?, timing, ..Default::default() };
    // Drafts of TLS 1.3 had neither session nor compression here (draft-ietf-tls-tls13-21
    // section 4.1.3); from draft 22 on the version says TLS 1.2.
    let is_draft = hello.legacy_version >> 8 == 0x7f;
    hello.is_retry = reader.bytes(RANDOM_BYTES)? == RETRY_RANDOM;
    if !is_draft {
        hello.session_id = reader.vec8()?.rest().to_vec();
    }
    hello.cipher_suite = reader.u16()?;
    if !is_draft {
        let _compression_method = reader.u8()?;
    }
    let whole = reader.extensions(|kind, content| {
        hello.extensions.push(kind);
        extend(&mut hello, kind, content);
    });
    hello.is_malformed = whole.is_none();
    hello.ja3s = whole.map(|()| ja3s(&hello));
    Some(hello)
}

fn extend(hello: &mut ServerHello, kind: u16, mut content: Reader<'_>) {
    match kind {
        ALPN => {
            hello.alpn = content
                .vec16()
                .and_then(|mut list| list.vec8())
                .map(|protocol| protocol.rest().to_vec())
        }
        SUPPORTED_VERSIONS => hello.selected_version = content.u16(),
        KEY_SHARE => hello.selected_group = content.u16(),
        _ => {}
    }
}
