//! Name patterns: `*` stands for any run of bytes, `?` for one byte, all else for itself.
//!
//! Works on bytes, because header names and paths come from strangers and need not be UTF-8.
//! A pattern cannot be malformed, and matching takes no more than text length times pattern
//! length.

/// One pattern.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    pattern: Vec<u8>,
    ignore_case: bool,
}

impl Glob {
    /// A pattern for names that are compared without case: fields, methods, hosts.
    pub(super) fn ignoring_case(pattern: &str) -> Self {
        Self { pattern: pattern.as_bytes().to_ascii_lowercase(), ignore_case: true }
    }

    /// A pattern for paths, whose case matters (RFC 3986 section 6.2.2.1).
    pub(super) fn with_case(pattern: &str) -> Self {
        Self { pattern: pattern.as_bytes().to_vec(), ignore_case: false }
    }

    /// Whether the pattern names one thing only.
    pub(super) fn is_literal(&self) -> bool {
        !self.pattern.iter().any(|b| matches!(b, b'*' | b'?'))
    }

    /// Whether the whole of `text` fits the pattern.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let (mut at, mut next) = (0, 0);
        let mut retry = None; // after the last `*`: where to go on in pattern and text
        while let Some(&byte) = text.get(at) {
            match self.pattern.get(next) {
                Some(b'*') => {
                    next += 1;
                    retry = Some((next, at));
                }
                Some(&wanted) if wanted == b'?' || wanted == self.fold(byte) => {
                    at += 1;
                    next += 1;
                }
                _ => {
                    let Some((after_star, start)) = retry else { return false };
                    (next, at) = (after_star, start + 1);
                    retry = Some((after_star, at));
                }
            }
        }
        self.pattern.iter().skip(next).all(|&b| b == b'*')
    }

    fn fold(&self, byte: u8) -> u8 {
        if self.ignore_case { byte.to_ascii_lowercase() } else { byte }
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn a_star_stands_for_any_run_and_the_empty_one() {
        let glob = Glob::ignoring_case("*api-key*");
        for name in ["api-key", "X-API-Key", "x-api-key-id", "api-api-key"] {
            assert!(glob.matches(name.as_bytes()), "{name}");
        }
        for name in ["", "api_key", "api-ke", "ap-i-key"] {
            assert!(!glob.matches(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_question_mark_stands_for_one_byte() {
        let glob = Glob::with_case("/v?/*.js");
        assert!(glob.matches(b"/v1/a/b.js"));
        assert!(!glob.matches(b"/v12/b.js"));
        assert!(!glob.matches(b"/V1/b.js"), "paths have case");
    }

    #[test]
    fn a_literal_matches_only_itself() {
        let glob = Glob::ignoring_case("Host");
        assert!(glob.is_literal());
        assert!(glob.matches(b"hOST"));
        assert!(!glob.matches(b"hosts"));
        assert!(!glob.matches(b"hos"));
    }

    #[test]
    fn many_stars_do_not_take_exponential_time() {
        let glob = Glob::with_case(&"*a".repeat(64));
        assert!(!glob.matches(&[b'a'; 63]));
        assert!(glob.matches(&[b'a'; 4096]));
    }
}
