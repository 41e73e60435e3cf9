//! The action `hash`: a value in, 16 hex digits out that are the same for the same value and
//! the same key, and from which nobody without the key can find the value by trying.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Error;

/// The environment variable that holds the key where the configuration names no file.
pub const KEY_VARIABLE: &str = "HEADERTAP_HASH_KEY";
const KEY_MIN_BYTES: usize = 16;
const DIGEST_BYTES: usize = 8;

/// HMAC-SHA256 (RFC 2104) under one key, cut to 8 bytes.
#[derive(Clone)]
pub(super) struct Hash(Hmac<Sha256>);

impl Hash {
    /// A hash under the key in `file`, else in [`KEY_VARIABLE`], else under a random key of
    /// this run, which is said in a warning.
    pub(super) fn load(file: Option<&Path>) -> Result<Self, Error> {
        if let Some(path) = file {
            let unreadable = |source| Error::HashKeyFile { path: path.into(), source };
            let key = std::fs::read(path).map_err(unreadable)?;
            return Self::new(key.trim_ascii(), path.display().to_string());
        }
        if let Some(key) = std::env::var_os(KEY_VARIABLE) {
            return Self::new(key.as_encoded_bytes(), KEY_VARIABLE.to_owned());
        }
        tracing::warn!(
            "hashes are keyed at random: they can be compared within this run only; set \
             policy.hash_key_file or {KEY_VARIABLE} to keep them"
        );
        let mut key = [0; 32];
        File::open("/dev/urandom")
            .and_then(|mut random| random.read_exact(&mut key))
            .map_err(|source| Error::HashKeyFile { path: "/dev/urandom".into(), source })?;
        Self::new(&key, "/dev/urandom".to_owned())
    }

    fn new(key: &[u8], origin: String) -> Result<Self, Error> {
        if key.len() < KEY_MIN_BYTES {
            return Err(Error::HashKeyShort { origin, len: key.len() });
        }
        Ok(Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length")))
    }

    /// The hash of `value`, as lower-case hex digits.
    pub(super) fn digest(&self, value: &[u8]) -> Vec<u8> {
        let code = self.0.clone().chain_update(value).finalize().into_bytes();
        let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        code.iter().take(DIGEST_BYTES).flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hash(key not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Hash};
    use std::path::Path;

    /// RFC 4231 section 4.2, test case 1.
    #[test]
    fn the_hash_is_the_first_quarter_of_hmac_sha256() {
        let hash = Hash::new(&[0x0b; 20], String::new()).expect("20 bytes are enough");
        assert_eq!(hash.digest(b"Hi There"), b"b0344c61d8db3853");
    }

    #[test]
    fn a_short_key_is_refused_and_not_shown() {
        let error = Hash::new(b"topsecret", "the file".to_owned()).expect_err("9 bytes");
        assert!(matches!(error, Error::HashKeyShort { len: 9, .. }));
        assert!(!error.to_string().contains("topsecret"), "{error}");
    }

    #[test]
    fn a_key_file_that_is_not_there_is_named() {
        let error = Hash::load(Some(Path::new("/nowhere/key"))).expect_err("there is no such file");
        assert!(error.to_string().contains("/nowhere/key"), "{error}");
    }

    #[test]
    fn the_key_is_never_shown_by_debug() {
        let hash = Hash::new(b"0123456789abcdef", String::new()).expect("16 bytes are enough");
        assert_eq!(format!("{hash:?}"), "Hash(key not shown)");
    }
}
