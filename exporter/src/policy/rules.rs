//! The user's rules: names and conditions against a field name and the facts of its exchange.
//!
//! A fact can be missing, e.g. the path where only the response was captured. What is not known
//! never lets a value out: `keep` then does not apply, the other actions do.

use super::glob::Glob;
use crate::config::{self, Action, Scope, Status};
use crate::dns::Lookup;
use crate::exchange::Exchange;
use crate::http::{Request, Response};
use crate::tls::Handshake;

/// The side of an exchange that a field is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The request's header or trailer section.
    Request,
    /// A header or trailer section of a response.
    Response,
}

/// What conditions ask about.
#[derive(Debug, Default)]
pub(super) struct Facts {
    host: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    method: Option<Vec<u8>>,
    /// The final response's status; for the fields of an interim response, its own.
    pub(super) status: Option<u16>,
}

impl Facts {
    /// The facts of an exchange that policy has not changed yet.
    pub(super) fn of(exchange: &Exchange) -> Self {
        let request = exchange.request.as_ref();
        let known = |text: &[u8]| (!text.is_empty()).then(|| text.to_vec());
        Self {
            host: request.and_then(host),
            path: request.and_then(|request| known(path(&request.target))),
            method: request.and_then(|request| known(&request.method)),
            status: exchange.response.as_ref().and_then(known_status),
        }
    }

    /// The facts of a handshake: the server that the client names.
    pub(super) fn of_handshake(handshake: &Handshake) -> Self {
        let hello = handshake.client_hello.as_ref();
        Self { host: hello.and_then(|hello| hello.server_name.clone()), ..Self::default() }
    }

    /// The facts of a lookup: the host that is asked for.
    pub(super) fn of_lookup(lookup: &Lookup) -> Self {
        let asked = lookup.questions().first();
        Self { host: asked.map(|question| question.name.clone().into_bytes()), ..Self::default() }
    }
}

pub(super) fn known_status(response: &Response) -> Option<u16> {
    Some(response.status).filter(|status| *status != 0)
}

/// The host a request is for (RFC 9112 section 3.3), without userinfo and port.
fn host(request: &Request) -> Option<Vec<u8>> {
    let fields = &request.fields;
    // An authority that is not known would come before a host that is.
    let host = || fields.first("host").filter(|_| fields.unknown() == 0);
    let named = || fields.first(":authority").or_else(host);
    let authority =
        absolute_form(&request.target).map(|(authority, _)| authority).or_else(named)?;
    let host = authority.rsplit(|b| *b == b'@').next().unwrap_or(authority);
    let end = match host.iter().position(|b| *b == b']') {
        Some(bracket) => bracket + 1,
        None => host.iter().position(|b| *b == b':').unwrap_or(host.len()),
    };
    host.get(..end).map(<[u8]>::to_vec)
}

/// The path of a request target, without query.
fn path(target: &[u8]) -> &[u8] {
    let target = absolute_form(target).map_or(target, |(_, rest)| rest);
    target.split(|b| matches!(b, b'?' | b'#')).next().unwrap_or(target)
}

/// Authority and the rest of a target in absolute form (RFC 9112 section 3.2.2).
fn absolute_form(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let scheme =
        target.windows(3).position(|w| w == b"://").filter(|_| !target.starts_with(b"/"))?;
    let rest = target.get(scheme + 3..)?;
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    rest.split_at_checked(end)
}

/// Conditions, all of which must hold; of each kind, one of the given values.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    host: Vec<Glob>,
    path: Vec<Glob>,
    method: Vec<Glob>,
    status: Vec<Status>,
}

impl Conditions {
    pub(super) fn new(config: &config::Conditions) -> Self {
        let folded = |list: &[String]| list.iter().map(|glob| Glob::ignoring_case(glob)).collect();
        Self {
            host: folded(&config.host),
            path: config.path.iter().map(|glob| Glob::with_case(glob)).collect(),
            method: folded(&config.method),
            status: config.status.clone(),
        }
    }

    fn is_empty(&self) -> bool {
        let globs = [&self.host, &self.path, &self.method];
        self.status.is_empty() && globs.iter().all(|globs| globs.is_empty())
    }

    /// Whether all conditions hold; `None` if that hangs on a fact that is not known.
    pub(super) fn hold(&self, facts: &Facts) -> Option<bool> {
        let any = |globs: &[Glob], fact: &Option<Vec<u8>>| {
            if globs.is_empty() {
                return Some(true);
            }
            fact.as_ref().map(|fact| globs.iter().any(|glob| glob.matches(fact)))
        };
        let status = match (self.status.is_empty(), facts.status) {
            (true, _) => Some(true),
            (false, fact) => fact.map(|code| self.status.iter().any(|s| s.matches(code))),
        };
        let each = [
            any(&self.host, &facts.host),
            any(&self.path, &facts.path),
            any(&self.method, &facts.method),
            status,
        ];
        if each.contains(&Some(false)) {
            return Some(false);
        }
        each.iter().all(Option::is_some).then_some(true)
    }
}

/// One rule.
#[derive(Debug)]
pub(super) struct Rule {
    /// What is done with the values it applies to.
    pub(super) action: Action,
    scope: Scope,
    names: Vec<Glob>,
    when: Conditions,
}

impl Rule {
    pub(super) fn new(config: &config::Rule) -> Self {
        Self {
            action: config.action,
            scope: config.scope,
            names: config.names.iter().map(|name| Glob::ignoring_case(name)).collect(),
            when: Conditions::new(&config.when),
        }
    }

    /// Whether the rule is about `name` on this side; `Some(true)` if it names it in full.
    pub(super) fn names(&self, name: &[u8], side: Side) -> Option<bool> {
        let on_this_side = match self.scope {
            Scope::Both => true,
            Scope::Request => side == Side::Request,
            Scope::Response => side == Side::Response,
        };
        let mut matching = self.names.iter().filter(|glob| on_this_side && glob.matches(name));
        let first = matching.next()?;
        Some(first.is_literal() || matching.any(Glob::is_literal))
    }

    /// Whether the rule has no conditions.
    pub(super) fn always_applies(&self) -> bool {
        self.when.is_empty()
    }

    /// Whether the rule applies to an exchange with these facts.
    pub(super) fn applies(&self, facts: &Facts) -> bool {
        self.when.hold(facts).unwrap_or(self.action != Action::Keep)
    }
}

#[cfg(test)]
mod tests {
    use super::{absolute_form, path};

    #[test]
    fn the_path_has_neither_authority_nor_query() {
        assert_eq!(path(b"/a/b?c=/d"), b"/a/b");
        assert_eq!(path(b"http://h:1/a#f"), b"/a");
        assert_eq!(path(b"http://h?q"), b"");
        assert_eq!(path(b"*"), b"*");
    }

    #[test]
    fn a_url_in_a_query_is_not_the_absolute_form() {
        assert_eq!(absolute_form(b"/go?to=http://h/x"), None);
    }
}
