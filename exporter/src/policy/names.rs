//! Field names: a name in, what is to be done with its values out.
//!
//! Owns the built-in lists and a table of names already decided. A verdict depends on the name
//! alone; rules with conditions are kept in it for `policy` to ask when an exchange is there.

use std::borrow::Cow;
use std::hash::Hasher;
use std::sync::OnceLock;

use rustc_hash::FxHasher;

use super::caps::NAME_MAX_BYTES;
use super::glob::Glob;
use super::redact::Shape;
use super::rules::{Rule, Side};
use crate::config::{Action, Unlisted};

/// Exported as they are unless a rule says otherwise. The URLs in them are redacted.
const KEPT: [&str; 34] = [
    ":authority",
    ":protocol",
    ":scheme",
    "accept*",
    "age",
    "b3",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "forwarded",
    "grpc-status",
    "grpc-timeout",
    "host",
    "retry-after",
    "server",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "x-correlation-id",
    "x-forwarded-*",
    "x-request-id",
    "*ratelimit*",
    // Members of the families above, named so that they are decided once, at the start.
    "accept",
    "accept-encoding",
    "accept-language",
    "x-forwarded-for",
];

/// Exported as `REDACTED`, so that it is seen that they were there.
const MASKED: [&str; 10] = [
    "*auth*",
    "*credential*",
    "*cookie*",
    "*token*",
    "*api-key*",
    "*apikey*",
    "*secret*",
    "*password*",
    "*session*",
    "x-csrf*",
];

/// Never masked, whatever `MASKED` says.
const NOT_MASKED: [&str; 3] = [":authority", "host", "*ratelimit*"];

/// Names that are remembered. Those that come when the table is full are decided each time.
const SLOTS: usize = 1024;
/// Slots a name may lie in.
const PROBES: usize = 4;

/// What is to be done with the values of a name.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    request: Decision,
    response: Decision,
    /// Where a URL may be in the values.
    pub(super) shape: Shape,
}

/// What is to be done on one side of an exchange.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    /// Rules to be asked first, with the action each has for this name.
    pub(super) rules: Box<[(usize, Action)]>,
    /// The action if none of them applies.
    pub(super) otherwise: Action,
}

impl Verdict {
    /// The decision for one side.
    pub(super) fn on(&self, side: Side) -> &Decision {
        match side {
            Side::Request => &self.request,
            Side::Response => &self.response,
        }
    }
}

/// A name as it was written, and its verdict.
type Decided = (Box<[u8]>, Verdict);

/// The built-in lists, the user's rules by name, and the names already decided.
#[derive(Debug)]
pub(super) struct Names {
    kept: Vec<Glob>,
    masked: Vec<Glob>,
    not_masked: Vec<Glob>,
    unlisted: Action,
    slots: Box<[OnceLock<Decided>]>,
}

impl Names {
    /// The built-in lists, before or beside `rules`.
    pub(super) fn new(unlisted: Unlisted, rules: &[Rule]) -> Self {
        let globs = |list: &[&str]| list.iter().map(|name| Glob::ignoring_case(name)).collect();
        let names = Self {
            kept: globs(&KEPT),
            masked: globs(&MASKED),
            not_masked: globs(&NOT_MASKED),
            unlisted: match unlisted {
                Unlisted::Drop => Action::Drop,
                Unlisted::Keep => Action::Keep,
            },
            slots: (0..SLOTS).map(|_| OnceLock::new()).collect(),
        };
        // Strangers choose the other names: they must not push these out.
        for name in KEPT.iter().filter(|name| !name.contains('*')) {
            names.verdict(name.as_bytes(), rules);
            names.verdict(&title_case(name), rules);
        }
        names
    }

    /// What is to be done with the values of `name`, as it was written.
    pub(super) fn verdict(&self, name: &[u8], rules: &[Rule]) -> Cow<'_, Verdict> {
        let mut hasher = FxHasher::default();
        hasher.write(name);
        let first = usize::try_from(hasher.finish() >> 32).unwrap_or_default();
        for probe in 0..PROBES {
            let Some(slot) = self.slots.get((first + probe) % SLOTS) else { break };
            let (known, verdict) = match slot.get() {
                Some(decided) => decided,
                None if name.len() > NAME_MAX_BYTES => break,
                None => slot.get_or_init(|| (name.into(), self.decide(name, rules))),
            };
            if **known == *name {
                return Cow::Borrowed(verdict);
            }
        }
        Cow::Owned(self.decide(name, rules))
    }

    fn decide(&self, name: &[u8], rules: &[Rule]) -> Verdict {
        let in_list = |list: &[Glob]| list.iter().any(|glob| glob.matches(name));
        let masked = in_list(&self.masked) && !in_list(&self.not_masked);
        let built_in = match () {
            () if name.len() > NAME_MAX_BYTES => Action::Drop,
            () if masked => Action::Mask,
            () if in_list(&self.kept) => Action::Keep,
            () => self.unlisted,
        };
        let on = |side| decide_side(name, side, rules, masked, built_in);
        Verdict {
            request: on(Side::Request),
            response: on(Side::Response),
            shape: Shape::of_field(&name.to_ascii_lowercase()),
        }
    }
}

/// The rules for `name` on one side, up to the first that always applies.
///
/// A pattern with wildcards does not uncover a masked name: `keep` is `mask` for it. A rule that
/// names it in full does.
fn decide_side(
    name: &[u8],
    side: Side,
    rules: &[Rule],
    masked: bool,
    built_in: Action,
) -> Decision {
    let mut first = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let Some(named_in_full) = rule.names(name, side).filter(|_| name.len() <= NAME_MAX_BYTES)
        else {
            continue;
        };
        let covered = masked && !named_in_full && rule.action == Action::Keep;
        let action = if covered { Action::Mask } else { rule.action };
        if rule.always_applies() {
            return Decision { rules: first.into(), otherwise: action };
        }
        first.push((at, action));
    }
    Decision { rules: first.into(), otherwise: built_in }
}

/// `content-type` as HTTP/1 software writes it: `Content-Type`.
fn title_case(name: &str) -> Vec<u8> {
    let mut at_start = true;
    let case = |byte: u8| {
        let cased = if at_start { byte.to_ascii_uppercase() } else { byte };
        at_start = byte == b'-';
        cased
    };
    name.bytes().map(case).collect()
}

#[cfg(test)]
mod tests {
    use super::{Action, Names, SLOTS, Side, Unlisted, title_case};

    fn action(names: &Names, name: &str) -> Action {
        names.verdict(name.as_bytes(), &[]).on(Side::Request).otherwise
    }

    #[test]
    fn the_built_in_lists_decide_without_case() {
        let names = Names::new(Unlisted::Drop, &[]);
        for name in [
            "Host",
            ":scheme",
            "ACCEPT-Language",
            "x-forwarded-For",
            "X-RateLimit-Token",
            "grpc-status",
        ] {
            assert_eq!(action(&names, name), Action::Keep, "{name}");
        }
        for name in
            ["Cookie", "X-API-KEY", "WWW-Authenticate", "x-forwarded-access-token", "x-csrf"]
        {
            assert_eq!(action(&names, name), Action::Mask, "{name}");
        }
        for name in ["", "x-foo", "referer", "hosts"] {
            assert_eq!(action(&names, name), Action::Drop, "{name}");
        }
    }

    #[test]
    fn keeping_unlisted_names_uncovers_no_masked_one() {
        let names = Names::new(Unlisted::Keep, &[]);
        assert_eq!(action(&names, "x-foo"), Action::Keep);
        assert_eq!(action(&names, "x-session-id"), Action::Mask);
    }

    #[test]
    fn a_full_table_changes_no_verdict() {
        let names = Names::new(Unlisted::Drop, &[]);
        for n in 0..SLOTS * 8 {
            assert_eq!(action(&names, &format!("x-foo-{n}")), Action::Drop);
        }
        for n in 0..64 {
            assert_eq!(action(&names, &format!("x-token-{n}")), Action::Mask);
        }
        assert_eq!(action(&names, "Content-Type"), Action::Keep);
    }

    #[test]
    fn a_name_over_the_cap_is_dropped() {
        let names = Names::new(Unlisted::Keep, &[]);
        assert_eq!(action(&names, &"x".repeat(256)), Action::Keep);
        assert_eq!(action(&names, &"x".repeat(257)), Action::Drop);
    }

    #[test]
    fn a_name_is_written_in_title_case() {
        assert_eq!(title_case("x-request-id"), b"X-Request-Id");
    }
}
