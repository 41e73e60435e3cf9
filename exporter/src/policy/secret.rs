//! Which parameter names of a URL carry secrets.
//!
//! OpenTelemetry's seven (`url.full`: X-Amz-Signature, X-Amz-Credential, X-Amz-Security-Token,
//! AWSAccessKeyId, Signature, sig, X-Goog-Signature) and the names that login, API and session
//! schemes use. A name is decoded and reduced to its lower-case letters and digits first, so
//! `api_key`, `API-Key`, `apiKey`, `api%4Bey` and `user[api_key]` are one name. A value hidden
//! by mistake costs little, so the match is broad: `next_page_token` and `sort_key` are hidden
//! too. `state` (OAuth) is not: it is worthless without `code`, and common as a search term.

use std::borrow::Cow;

use memchr::memchr;

/// A name with one of these anywhere in it is a secret.
const ANYWHERE: [&[u8]; 17] = [
    b"token",
    b"secret",
    b"password",
    b"passwd",
    b"passphrase",
    b"apikey",
    b"accesskey",
    b"credential",
    b"signature",
    b"session",
    b"cookie",
    b"authorization",
    b"csrf",
    b"xsrf",
    b"jwt",
    b"saml",
    b"assertion",
];

/// A name that ends in one of these is a secret.
const AT_THE_END: [&[u8]; 7] = [b"key", b"pwd", b"pass", b"sig", b"sid", b"auth", b"otp"];

/// A name that is one of these is a secret.
const WHOLE: [&[u8]; 3] = [b"code", b"pin", b"ticket"];

/// A longer name is not searched: it is taken for a secret.
const NAME_MAX_BYTES: usize = 256;

/// How often a name or value is decoded: once as the standard says, and again for what was
/// encoded into it.
pub(super) const DECODINGS: usize = 3;

/// Whether the value of the parameter `key`, as written, is to be hidden.
pub(super) fn is_secret(key: &[u8]) -> bool {
    let mut key = Cow::Borrowed(key);
    for _ in 0..DECODINGS {
        let Some(decoded) = percent_decode(&key) else { break };
        key = Cow::Owned(decoded);
    }
    if key.len() > NAME_MAX_BYTES {
        return true;
    }
    let mut name = [0; NAME_MAX_BYTES];
    let letters = key.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase);
    let len = name.iter_mut().zip(letters).map(|(slot, letter)| *slot = letter).count();
    let name = name.get(..len).unwrap_or_default();
    WHOLE.contains(&name)
        || AT_THE_END.iter().any(|end| name.ends_with(end))
        || (0..len).any(|at| begins_with_secret(name.get(at..).unwrap_or_default()))
}

/// Whether one of `ANYWHERE` is at the start of `name`. The first letter is compared first,
/// because it mostly decides.
fn begins_with_secret(name: &[u8]) -> bool {
    ANYWHERE.iter().any(|part| part.first() == name.first() && name.starts_with(part))
}

/// `text` with each `%` and two hex digits as the byte they stand for (RFC 3986 section 2.1);
/// `None` if there is none.
pub(super) fn percent_decode(text: &[u8]) -> Option<Vec<u8>> {
    memchr(b'%', text)?;
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let pair = if byte == b'%' { after.split_first_chunk::<2>() } else { None };
        let value =
            pair.and_then(|([high, low], tail)| Some((hex(*high)? << 4 | hex(*low)?, tail)));
        let (byte, after) = value.unwrap_or((byte, after));
        decoded.push(byte);
        rest = after;
    }
    (decoded.len() < text.len()).then_some(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{ANYWHERE, is_secret, percent_decode};

    #[test]
    fn every_listed_part_makes_a_name_secret() {
        for part in ANYWHERE {
            assert!(is_secret(&[b"my", part, b"s"].concat()), "{}", String::from_utf8_lossy(part));
        }
    }

    #[test]
    fn the_seven_names_of_opentelemetry_are_secret() {
        for name in [
            "X-Amz-Signature",
            "X-Amz-Credential",
            "X-Amz-Security-Token",
            "AWSAccessKeyId",
            "Signature",
            "sig",
            "X-Goog-Signature",
        ] {
            assert!(is_secret(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_secret_name_is_known_in_every_spelling() {
        for name in [
            "token",
            "ToKeN",
            "to%6Ben",
            "%2574oken",
            "access_token",
            "accessToken",
            "api_key",
            "api-key",
            "apikey",
            "apiKey",
            "API%5fKEY",
            "user[password]",
            "user.pwd",
            "passwd",
            "client_secret",
            "code",
            "PHPSESSID",
            "jsessionid",
            "jwt",
            "auth",
            "subscription-key",
            "to%00ken",
            "key",
        ] {
            assert!(is_secret(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn ordinary_names_are_not_secret() {
        for name in ["", "q", "page", "state", "author", "status_code", "keyword", "id", "%", "%zz"]
        {
            assert!(!is_secret(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn only_whole_escapes_are_decoded() {
        assert_eq!(percent_decode(b"a%2Fb%").as_deref(), Some(&b"a/b%"[..]));
        assert_eq!(percent_decode(b"%4"), None);
        assert_eq!(percent_decode(b"%+1"), None);
        assert_eq!(percent_decode(b"plain"), None);
    }
}
