//! Where a request went and whence it came, as one end may say it: the parts of the target URI
//! (RFC 9110 section 7.1, RFC 9112 section 3.2), and the client behind proxies (RFC 7239).
//!
//! A server believes the forwarding fields, as the semantic conventions ask; a client's own
//! request is what it wrote. A field that does not say what it should is passed over, never an
//! error.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::exchange::{Exchange, Role};
use crate::export::escape::utf8;
use crate::fields::Fields;
use crate::http::Request;

/// The parts of a request's target URI, and its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// `http`, unless the request or a proxy says otherwise.
    pub(crate) scheme: Cow<'a, str>,
    /// The host's name or address, without brackets.
    pub(crate) host: Cow<'a, str>,
    /// The port, that of the scheme where none is written.
    pub(crate) port: u16,
    /// The authority as it stands in the URI.
    pub(crate) authority: Cow<'a, str>,
    /// The path; `None` where the target has none (CONNECT) or no request was seen.
    pub(crate) path: Option<Cow<'a, str>>,
    /// The query without its question mark.
    pub(crate) query: Option<Cow<'a, str>>,
    /// The client that a proxy named, and its port; `None`: it is the peer.
    pub(crate) forwarded_for: Option<(IpAddr, Option<u16>)>,
}

impl<'a> Target<'a> {
    /// The target of the exchange's request, in the eyes of `role`.
    pub(crate) fn of(exchange: &'a Exchange, role: Role) -> Self {
        let Some(request) = &exchange.request else { return Self::of_endpoint(exchange) };
        let hints = Hints::of(&request.fields);
        let forwarded =
            if role == Role::Server { Forwarded::of(&hints) } else { Forwarded::default() };
        let form = Form::of(request);
        let scheme = forwarded.proto.or(form.scheme).or(hints.scheme).unwrap_or(b"http");
        let written = forwarded.host.or(form.authority).or(hints.authority).or(hints.host);
        let named = written.map(without_userinfo).filter(|text| !text.is_empty()).map(|text| {
            let (host, port) = split_authority(text);
            (utf8(host), port.unwrap_or(default_port(scheme)), utf8(text))
        });
        let (host, port, authority) = named.unwrap_or_else(|| endpoint(exchange));
        Self {
            scheme: utf8(scheme),
            host,
            port,
            authority,
            path: form.path.map(utf8),
            query: form.query.map(utf8),
            forwarded_for: forwarded.client,
        }
    }

    /// All that is known without a request.
    fn of_endpoint(exchange: &Exchange) -> Self {
        let (host, port, authority) = endpoint(exchange);
        Self {
            scheme: Cow::Borrowed("http"),
            host,
            port,
            authority,
            path: None,
            query: None,
            forwarded_for: None,
        }
    }
}

/// Host, port and authority of a server that no request names.
fn endpoint<'a>(exchange: &Exchange) -> (Cow<'a, str>, u16, Cow<'a, str>) {
    let server = exchange.server;
    (Cow::Owned(server.ip().to_string()), server.port, Cow::Owned(server.to_string()))
}

fn default_port(scheme: &[u8]) -> u16 {
    if scheme.eq_ignore_ascii_case(b"https") { 443 } else { 80 }
}

/// The fields that speak of the target, found in one pass; of each name the first line.
#[derive(Debug, Default)]
struct Hints<'a> {
    host: Option<&'a [u8]>,
    scheme: Option<&'a [u8]>,
    authority: Option<&'a [u8]>,
    forwarded: Option<&'a [u8]>,
    x_forwarded_for: Option<&'a [u8]>,
    x_forwarded_host: Option<&'a [u8]>,
    x_forwarded_proto: Option<&'a [u8]>,
}

impl<'a> Hints<'a> {
    fn of(fields: &'a Fields) -> Self {
        let mut hints = Self::default();
        for (name, value) in fields.iter() {
            let (expected, hint): (&[u8], _) = match name.len() {
                4 => (b"host", &mut hints.host),
                7 => (b":scheme", &mut hints.scheme),
                9 => (b"forwarded", &mut hints.forwarded),
                10 => (b":authority", &mut hints.authority),
                15 => (b"x-forwarded-for", &mut hints.x_forwarded_for),
                16 => (b"x-forwarded-host", &mut hints.x_forwarded_host),
                17 => (b"x-forwarded-proto", &mut hints.x_forwarded_proto),
                _ => continue,
            };
            if hint.is_none() && name.eq_ignore_ascii_case(expected) {
                *hint = Some(value);
            }
        }
        hints
    }
}

/// A request target taken apart by its form (RFC 9112 section 3.2).
#[derive(Debug, Default)]
struct Form<'a> {
    scheme: Option<&'a [u8]>,
    authority: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
    query: Option<&'a [u8]>,
}

impl<'a> Form<'a> {
    fn of(request: &'a Request) -> Self {
        let target = request.target.as_slice();
        if target.is_empty() {
            return Self::default(); // it is not known
        }
        if request.method == b"CONNECT" && !target.starts_with(b"/") {
            return Self { authority: Some(target), ..Self::default() };
        }
        if target.starts_with(b"/") || target == b"*" {
            return Self::default().with_path(target);
        }
        let Some(colon) = memchr::memmem::find(target, b"://") else {
            return Self::default().with_path(target);
        };
        let (scheme, rest) = target.split_at(colon);
        let rest = rest.get(3..).unwrap_or_default();
        let end = memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let authority = Some(authority);
        Self { scheme: Some(scheme), authority, ..Self::default() }.with_path(rest)
    }

    fn with_path(mut self, text: &'a [u8]) -> Self {
        match split_at_first(text, b'?') {
            Some((path, query)) => (self.path, self.query) = (Some(path), Some(query)),
            None => self.path = Some(text),
        }
        self
    }
}

/// What a proxy says of the request before it: `Forwarded`, else the `X-Forwarded-*` fields. Of
/// several hops the first, which is the client's.
#[derive(Debug, Default)]
struct Forwarded<'a> {
    client: Option<(IpAddr, Option<u16>)>,
    host: Option<&'a [u8]>,
    proto: Option<&'a [u8]>,
}

impl<'a> Forwarded<'a> {
    fn of(hints: &Hints<'a>) -> Self {
        let standard = hints.forwarded.map(Self::first_hop).unwrap_or_default();
        Self {
            client: standard.client.or_else(|| node(first_of_list(hints.x_forwarded_for?))),
            host: standard.host.or_else(|| hints.x_forwarded_host.map(first_of_list)),
            proto: standard.proto.or_else(|| hints.x_forwarded_proto.map(first_of_list)),
        }
    }

    /// The first forwarded-element (RFC 7239 section 4).
    fn first_hop(mut text: &'a [u8]) -> Self {
        let mut hop = Self::default();
        while let Some((name, rest)) = split_at_first(text, b'=') {
            let (value, rest) = value(rest);
            match name.trim_ascii() {
                n if n.eq_ignore_ascii_case(b"for") => hop.client = node(value),
                n if n.eq_ignore_ascii_case(b"host") => hop.host = Some(value),
                n if n.eq_ignore_ascii_case(b"proto") => hop.proto = Some(value),
                _ => {}
            }
            match rest.trim_ascii_start().strip_prefix(b";") {
                Some(more) => text = more,
                None => break,
            }
        }
        hop
    }
}

/// Takes a token or quoted-string off the front (RFC 9110 section 5.6). A quoted-pair stays as it
/// is written: neither an address nor a host has one.
fn value(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    if let Some(quoted) = text.strip_prefix(b"\"") {
        return split_at_first(quoted, b'"').unwrap_or((quoted, b""));
    }
    let end = memchr::memchr2(b';', b',', text).unwrap_or(text.len());
    let (token, rest) = text.split_at(end);
    (token.trim_ascii_end(), rest)
}

fn first_of_list(text: &[u8]) -> &[u8] {
    split_at_first(text, b',').map_or(text, |(first, _)| first).trim_ascii()
}

/// An address with or without a port; `None` for `unknown` and obfuscated names (RFC 7239
/// section 6), which say nothing of where the client is.
fn node(text: &[u8]) -> Option<(IpAddr, Option<u16>)> {
    let (host, port) = split_authority(text);
    Some((std::str::from_utf8(host).ok()?.parse().ok()?, port))
}

/// An authority without what may be a password (RFC 9110 section 4.2.4).
fn without_userinfo(authority: &[u8]) -> &[u8] {
    let host = memchr::memrchr(b'@', authority).map_or(0, |at| at + 1);
    authority.get(host..).unwrap_or_default()
}

/// Host and port; the brackets of an IPv6 address are taken off. An IPv6 address without brackets
/// is taken as a whole.
fn split_authority(text: &[u8]) -> (&[u8], Option<u16>) {
    if let Some((address, rest)) = text.strip_prefix(b"[").and_then(|t| split_at_first(t, b']')) {
        return (address, rest.strip_prefix(b":").and_then(port));
    }
    match memchr::memrchr(b':', text) {
        Some(colon) if memchr::memchr(b':', text) == Some(colon) => {
            let (host, rest) = text.split_at(colon);
            rest.strip_prefix(b":").and_then(port).map_or((text, None), |port| (host, Some(port)))
        }
        _ => (text, None),
    }
}

fn port(text: &[u8]) -> Option<u16> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What stands before and after the first `separator`.
fn split_at_first(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(separator, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests;
