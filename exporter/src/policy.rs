//! What may leave the host: an exchange in; the same without secrets, or nothing, out.
//!
//! Runs before anything is queued, written or printed, on every part of an exchange that comes
//! from the wire: method, request target, header and trailer sections, interim responses.
//!
//! In this order: exchanges that the user excludes are taken out; each field line is kept,
//! dropped, masked or hashed by the first rule that applies, else by the built-in lists; secrets
//! in URLs are redacted; what is over the caps is cut or dropped. `Policy::all` does none of it.
//!
//! Secrets that are part of a path, and values of names that nobody listed and the user keeps,
//! are not recognised.

mod caps;
mod glob;
mod hash;
mod names;
mod redact;
mod rules;
mod secret;

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use crate::config::{self, Action, Mode};
use crate::dns::Lookup;
use crate::exchange::Exchange;
use crate::fields::Fields;
use crate::tls::Handshake;
use caps::{METHOD_MAX_BYTES, REASON_MAX_BYTES, Size, VALUE_MAX_BYTES, cut};
use hash::Hash;
pub use hash::KEY_VARIABLE;
use names::Names;
use redact::{REDACTED, Shape, redact};
use rules::{Conditions, Facts, Rule, Side, known_status};

/// Why a policy cannot be made. headertap does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key of the action `hash` cannot be read: create the file, or change its permissions.
    #[error("policy.hash_key_file: {path} cannot be read: {source}", path = path.display())]
    HashKeyFile {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// The key of the action `hash` can be guessed: make one with `openssl rand -hex 32`.
    #[error(
        "the hash key in {origin} has {len} bytes; at least 16 are needed: make one with \
         `openssl rand -hex 32`"
    )]
    HashKeyShort {
        /// The file or variable it came from.
        origin: String,
        /// Its length in bytes.
        len: usize,
    },
}

/// What is exported of an exchange.
#[derive(Debug)]
pub struct Policy(Option<Thinning>);

/// A policy that takes things away.
#[derive(Debug)]
struct Thinning {
    names: Names,
    rules: Vec<Rule>,
    exclude: Vec<Conditions>,
    hash: Option<Hash>,
    asks_facts: bool,
}

impl Policy {
    /// The built-in lists, redaction and caps.
    #[must_use]
    pub fn safe() -> Self {
        Self(Some(Thinning::new(&config::Policy::default(), None)))
    }

    /// Everything is exported as it is, secrets included; no cap applies but the parsers' own.
    #[must_use]
    pub fn all() -> Self {
        Self(None)
    }

    /// The policy that a configuration asks for. That it is `all` is said in a warning.
    ///
    /// # Errors
    /// The key that a `hash` rule needs is missing or short.
    pub fn from_config(config: &config::Policy) -> Result<Self, Error> {
        if config.mode == Mode::All {
            tracing::warn!(
                "policy all: every header is exported as it is, secrets included; \
                 for laboratories only"
            );
            return Ok(Self::all());
        }
        let hashes = config.rules.iter().any(|rule| rule.action == Action::Hash);
        let hash = hashes.then(|| Hash::load(config.hash_key_file.as_deref())).transpose()?;
        Ok(Self(Some(Thinning::new(config, hash))))
    }

    /// What is exported of `exchange`; `None` if it is one of those the user excludes. Field
    /// lines taken away are counted in [`Exchange::dropped`].
    ///
    /// Once more makes no difference, but that a hash is hashed again.
    #[must_use]
    pub fn apply(&self, exchange: Exchange) -> Option<Exchange> {
        match &self.0 {
            None => Some(exchange),
            Some(thinning) => thinning.apply(exchange),
        }
    }
}

impl Policy {
    /// What is exported of `handshake`; `None` if its server is one whose exchanges the user
    /// excludes. Hellos hold no secrets.
    #[must_use]
    pub fn handshake(&self, mut handshake: Handshake) -> Option<Handshake> {
        let Some(thinning) = &self.0 else { return Some(handshake) };
        let facts = Facts::of_handshake(&handshake);
        if thinning.excludes(&facts) {
            return None;
        }
        caps::trim_handshake(&mut handshake);
        Some(handshake)
    }

    /// What is exported of `lookup`; `None` if it asks for a host whose exchanges the user
    /// excludes. Messages hold no secrets.
    #[must_use]
    pub fn lookup(&self, mut lookup: Lookup) -> Option<Lookup> {
        let Some(thinning) = &self.0 else { return Some(lookup) };
        if thinning.excludes(&Facts::of_lookup(&lookup)) {
            return None;
        }
        caps::trim_lookup(&mut lookup);
        Some(lookup)
    }
}

impl Thinning {
    fn new(config: &config::Policy, hash: Option<Hash>) -> Self {
        let rules: Vec<_> = config.rules.iter().map(Rule::new).collect();
        let exclude: Vec<_> = config.exclude.iter().map(Conditions::new).collect();
        let asks_facts = !exclude.is_empty() || rules.iter().any(|rule| !rule.always_applies());
        Self { names: Names::new(config.default, &rules), rules, exclude, hash, asks_facts }
    }

    fn excludes(&self, facts: &Facts) -> bool {
        self.exclude.iter().any(|conditions| conditions.hold(facts) == Some(true))
    }

    fn apply(&self, mut exchange: Exchange) -> Option<Exchange> {
        let facts = if self.asks_facts { Facts::of(&exchange) } else { Facts::default() };
        if self.excludes(&facts) {
            return None;
        }
        let request = self.thin_request(&mut exchange, &facts);
        let response = self.thin_response(&mut exchange, facts);
        if !request.fits_with(response) {
            caps::trim(&mut exchange, request, response);
        }
        Some(exchange)
    }

    fn thin_request(&self, exchange: &mut Exchange, facts: &Facts) -> Size {
        let mut side =
            Thinned { policy: self, side: Side::Request, dropped: 0, size: Size::default() };
        if let Some(request) = &mut exchange.request {
            replace(&mut request.method, |method| cut(method, METHOD_MAX_BYTES));
            replace(&mut request.target, |target| redact(Shape::Target, target));
            replace(&mut request.target, |target| cut(target, VALUE_MAX_BYTES));
            side.size.add_target(&request.target);
            side.thin(&mut request.fields, facts);
        }
        if let Some(end) = &mut exchange.request_end {
            side.thin(&mut end.trailers, facts);
        }
        exchange.dropped.request += side.dropped;
        side.size
    }

    fn thin_response(&self, exchange: &mut Exchange, facts: Facts) -> Size {
        let mut side =
            Thinned { policy: self, side: Side::Response, dropped: 0, size: Size::default() };
        if let Some(response) = &mut exchange.response {
            side.thin(&mut response.fields, &facts);
        }
        if let Some(end) = &mut exchange.response_end {
            side.thin(&mut end.trailers, &facts);
        }
        let mut facts = facts;
        let answers = exchange.response.iter_mut().chain(&mut exchange.interim);
        for reason in answers.filter_map(|answer| answer.reason.as_mut()) {
            replace(reason, |reason| cut(reason, REASON_MAX_BYTES));
        }
        for interim in &mut exchange.interim {
            facts.status = known_status(interim);
            side.thin(&mut interim.fields, &facts);
        }
        exchange.dropped.response += side.dropped;
        side.size
    }
}

/// One side of an exchange on its way through a policy.
struct Thinned<'a> {
    policy: &'a Thinning,
    side: Side,
    dropped: u32,
    size: Size,
}

impl Thinned<'_> {
    fn thin(&mut self, fields: &mut Fields, facts: &Facts) {
        if fields.is_empty() {
            return;
        }
        let mut thin = Fields::with_room_for(fields);
        for (name, value) in fields.iter() {
            self.line(name, value, facts, &mut thin);
        }
        *fields = thin;
    }

    fn line(&mut self, name: &[u8], value: &[u8], facts: &Facts, thin: &mut Fields) {
        let policy = self.policy;
        let verdict = policy.names.verdict(name, &policy.rules);
        let decision = verdict.on(self.side);
        let applies = |at: usize| policy.rules.get(at).is_some_and(|rule| rule.applies(facts));
        let action = decision
            .rules
            .iter()
            .find(|(at, _)| applies(*at))
            .map_or(decision.otherwise, |(_, action)| *action);
        let edited = match (action, &policy.hash) {
            (Action::Keep, _) => shown(verdict.shape, value).map(Cow::Owned),
            (Action::Hash, Some(hash)) => Some(Cow::Owned(hash.digest(value))),
            (Action::Mask | Action::Hash, _) => Some(Cow::Borrowed(REDACTED)),
            (Action::Drop, _) => {
                self.dropped += 1;
                return;
            }
        };
        let value = edited.as_deref().unwrap_or(value);
        self.size.add(name, value);
        thin.push(name, value);
    }
}

/// A kept value without secrets and not over the cap; `None` if it is as it was.
fn shown(shape: Shape, value: &[u8]) -> Option<Vec<u8>> {
    let redacted = redact(shape, value);
    cut(redacted.as_deref().unwrap_or(value), VALUE_MAX_BYTES).or(redacted)
}

fn replace(text: &mut Vec<u8>, edit: impl FnOnce(&[u8]) -> Option<Vec<u8>>) {
    if let Some(edited) = edit(text) {
        *text = edited;
    }
}

#[cfg(test)]
mod tests;
