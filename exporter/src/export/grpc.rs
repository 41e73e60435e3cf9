//! gRPC calls: what an exchange of HTTP/2 says beside its HTTP (gRPC over HTTP2, the protocol's own
//! description).
//!
//! Takes what policy left of the fields; a call whose content-type it took away is not recognised.

use std::borrow::Cow;

use super::escape::utf8;
use crate::exchange::{Exchange, Role};
use crate::fields::Fields;
use crate::http::Version;

/// One call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    exchange: &'a Exchange,
}

impl<'a> Call<'a> {
    /// The call that the exchange is, by the content type of its request, else of its response.
    pub(crate) fn of(exchange: &'a Exchange) -> Option<Self> {
        let request = exchange.request.as_ref().map(|head| (head.version, &head.fields));
        let response = exchange.response.as_ref().map(|head| (head.version, &head.fields));
        let (version, fields) = request.or(response)?;
        (version == Version::Http2 && is_grpc(fields)).then_some(Self { exchange })
    }

    /// The method with its service: the path without its slash.
    pub(crate) fn method(&self) -> Option<Cow<'a, str>> {
        let target = &self.exchange.request.as_ref()?.target;
        target.strip_prefix(b"/").filter(|method| !method.is_empty()).map(utf8)
    }

    /// The status: of the trailers, or of a head that is all there is.
    pub(crate) fn status(&self) -> Option<Status> {
        let trailers = self.exchange.response_end.as_ref().map(|end| &end.trailers);
        let head = self.exchange.response.as_ref().map(|response| &response.fields);
        let sections = trailers.into_iter().chain(head);
        let value = sections.into_iter().find_map(|fields| fields.first("grpc-status"))?;
        str::from_utf8(value).ok()?.parse().ok().map(Status)
    }

    /// The deadline that the client gave, as written.
    pub(crate) fn timeout(&self) -> Option<Cow<'a, str>> {
        let request = self.exchange.request.as_ref()?;
        request.fields.first("grpc-timeout").map(utf8)
    }
}

fn is_grpc(fields: &Fields) -> bool {
    let content_type = fields.first("content-type").unwrap_or_default();
    // `application/grpc-web` is another protocol.
    content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Whether a field is metadata of the application's, and none that the protocol itself uses.
pub(crate) fn is_metadata(name: &[u8]) -> bool {
    let is_reserved = name.starts_with(b":")
        || name.starts_with(b"grpc-")
        || [&b"te"[..], b"content-type", b"user-agent"].contains(&name);
    !is_reserved
}

/// A status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status(u32);

/// The names of the codes from 0 on.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Status {
    /// Its name; a code that has none as a number.
    pub(crate) fn name(self) -> Cow<'static, str> {
        let name = usize::try_from(self.0).ok().and_then(|code| NAMES.get(code));
        name.map_or_else(|| Cow::Owned(self.0.to_string()), |name| Cow::Borrowed(*name))
    }

    /// Whether it is a failure in the eyes of `role`: for a server only its own are.
    pub(crate) fn is_error(self, role: Role) -> bool {
        if role == Role::Server { self.is_servers() } else { self.0 != 0 }
    }

    /// Whether the server failed: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE
    /// and DATA_LOSS.
    pub(crate) fn is_servers(self) -> bool {
        matches!(self.0, 2 | 4 | 12..=15)
    }
}

#[cfg(test)]
mod tests;
