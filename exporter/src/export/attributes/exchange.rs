//! The attributes of an exchange as one end took part in it.
//!
//! What is fixed in number comes first and header fields last, so that the cap on attributes takes
//! only header fields, and so that what both ends say alike is one block.

use super::fields::{Prefix, Sections};
use super::{Key, Value, Visit, network_type, table};
use crate::exchange::{Exchange, Failure, Role, View};
use crate::export::escape::utf8;
use crate::export::grpc::{Call, Status};
use crate::export::target::Target;
use crate::fields::Fields;
use crate::http::{MessageEnd, Oddities, Request, Response, Version};

/// Visits the attributes of the exchange in this view, but for the header fields.
pub(crate) fn exchange<F: FnMut(Key<'_>, Value<'_>)>(
    exchange: &Exchange,
    view: &View,
    target: &Target<'_>,
    visitor: &mut F,
) {
    let mut visit = Visit::new(visitor);
    if let Some(request) = &exchange.request {
        request_line(&mut visit, request, view.role, target);
    }
    if let Some(response) = &exchange.response {
        status_line(&mut visit, exchange.request.as_ref(), response);
    }
    if let Some(call) = Call::of(exchange) {
        grpc(&mut visit, call);
    }
    error(&mut visit, exchange, view.role);
    network(&mut visit, exchange, view.role, target);
    sizes(&mut visit, exchange);
    own(&mut visit, exchange, view);
}

fn request_line<F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    request: &Request,
    role: Role,
    target: &Target<'_>,
) {
    match known_method(&request.method) {
        Some(method) => visit.str(table::REQUEST_METHOD, method),
        None if request.method.is_empty() => {}
        None => {
            visit.str(table::REQUEST_METHOD, "_OTHER");
            visit.str(table::REQUEST_METHOD_ORIGINAL, &utf8(&request.method));
        }
    }
    match (role, &target.path) {
        (Role::Server, path) => {
            visit.str(table::URL_SCHEME, &target.scheme);
            if let Some(path) = path {
                visit.str(table::URL_PATH, path);
            }
            if let Some(query) = &target.query {
                visit.str(table::URL_QUERY, query);
            }
        }
        (Role::Client | Role::Observer, Some(path)) => {
            visit.str(table::URL_FULL, &url(target, path));
        }
        (Role::Client | Role::Observer, None) => {}
    }
    if !request.target.is_empty() && !is_origin_form(&request.target) {
        visit.str(table::REQUEST_TARGET, &utf8(&request.target));
    }
    if let Some(agent) = request.fields.first("user-agent") {
        visit.str(table::USER_AGENT_ORIGINAL, &utf8(agent));
    }
}

fn status_line<F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    request: Option<&Request>,
    response: &Response,
) {
    visit.known(table::RESPONSE_STATUS_CODE, u64::from(response.status));
    if let Some(reason) = &response.reason {
        visit.str(table::REASON_PHRASE, &utf8(reason));
    }
    if request.is_some_and(|request| request.version != response.version) {
        visit.str(table::RESPONSE_VERSION, response.version.as_str());
    }
}

/// The methods of RFC 9110 section 9, RFC 5789 (PATCH) and QUERY; all others are `_OTHER`.
pub(crate) fn known_method(method: &[u8]) -> Option<&'static str> {
    const KNOWN: [&str; 10] =
        ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY"];
    KNOWN.into_iter().find(|known| known.as_bytes() == method)
}

/// Whether a request target is no more than path and query, which the URL tells as they are.
fn is_origin_form(target: &[u8]) -> bool {
    target.starts_with(b"/") && target.is_ascii()
}

/// The target URI. The asterisk form stands for the server as a whole, with an empty path
/// (RFC 9112 section 3.2.4).
fn url(target: &Target<'_>, path: &str) -> String {
    let path = if path == "*" { "" } else { path };
    let mut url = String::with_capacity(target.scheme.len() + target.authority.len() + 64);
    url.push_str(&target.scheme);
    url.push_str("://");
    url.push_str(&target.authority);
    url.push_str(path);
    if let Some(query) = &target.query {
        url.push('?');
        url.push_str(query);
    }
    url
}

/// The value of `error.type` in the eyes of `role`, if the exchange failed: the status of the call
/// or of the response, else what broke the connection. A client holds 4xx for a failure, a server does not.
pub(crate) fn error_type(exchange: &Exchange, role: Role) -> Option<ErrorType> {
    if let Some(status) = Call::of(exchange).and_then(|call| call.status()) {
        return status.is_error(role).then_some(ErrorType::Grpc(status));
    }
    let least = if role == Role::Server { 500 } else { 400 };
    let status = exchange.response.as_ref().map(|r| r.status).filter(|status| *status >= least);
    let failure = || exchange.failure.and_then(Failure::error_type).map(ErrorType::Failure);
    status.map(ErrorType::Status).or_else(failure)
}

/// Why an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorType {
    /// By this status of a call.
    Grpc(Status),
    /// By this status code.
    Status(u16),
    /// By what happened to the connection.
    Failure(&'static str),
}

fn error<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, exchange: &Exchange, role: Role) {
    match error_type(exchange, role) {
        Some(ErrorType::Grpc(status)) => visit.str(table::ERROR_TYPE, &status.name()),
        Some(ErrorType::Status(status)) => visit.str(table::ERROR_TYPE, &status.to_string()),
        Some(ErrorType::Failure(reason)) => visit.str(table::ERROR_TYPE, reason),
        None => {}
    }
    if let Some(word) = exchange.failure.and_then(incomplete) {
        visit.str(table::INCOMPLETE, word);
    }
    if let Some(code) = exchange.failure.and_then(Failure::error_code) {
        visit.str(table::ERROR_CODE, code.as_str());
    }
}

fn grpc<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, call: Call<'_>) {
    visit.str(table::RPC_SYSTEM_NAME, "grpc");
    if let Some(method) = call.method() {
        visit.str(table::RPC_METHOD, &method);
    }
    if let Some(status) = call.status() {
        visit.str(table::RPC_RESPONSE_STATUS_CODE, &status.name());
    }
    if let Some(timeout) = call.timeout() {
        visit.str(table::GRPC_TIMEOUT, &timeout);
    }
}

/// Why the exchange was not seen to its end, where that says nothing of the traffic.
pub(crate) fn incomplete(failure: Failure) -> Option<&'static str> {
    match failure {
        Failure::Gap => Some("gap"),
        Failure::Unfinished => Some("unfinished"),
        Failure::ConnectionReset
        | Failure::ConnectionClosed
        | Failure::ProtocolError
        | Failure::StreamReset(_)
        | Failure::GoAway(_) => None,
    }
}

fn network<F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    exchange: &Exchange,
    role: Role,
    target: &Target<'_>,
) {
    visit.str(table::SERVER_ADDRESS, &target.host);
    visit.int(table::SERVER_PORT, target.port);
    let (client, server) = (exchange.client, exchange.server);
    const LOCAL: [&str; 2] = [table::NETWORK_LOCAL_ADDRESS, table::NETWORK_LOCAL_PORT];
    const PEER: [&str; 2] = [table::NETWORK_PEER_ADDRESS, table::NETWORK_PEER_PORT];
    match role {
        Role::Client => {
            visit.endpoint(LOCAL, client);
            visit.endpoint(PEER, server);
        }
        Role::Server => {
            original_client(visit, exchange, target);
            visit.endpoint(LOCAL, server);
            visit.endpoint(PEER, client);
        }
        Role::Observer => {
            visit.endpoint([table::SOURCE_ADDRESS, table::SOURCE_PORT], client);
            visit.endpoint([table::DESTINATION_ADDRESS, table::DESTINATION_PORT], server);
        }
    }
    visit.str(table::NETWORK_TRANSPORT, "tcp");
    visit.str(table::NETWORK_TYPE, network_type(&server));
    visit.str(table::NETWORK_PROTOCOL_NAME, "http");
    if let Some(version) = version(exchange).filter(|version| !version.as_str().is_empty()) {
        visit.str(table::NETWORK_PROTOCOL_VERSION, version.as_str());
    }
}

fn original_client<F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    exchange: &Exchange,
    target: &Target<'_>,
) {
    let Some((address, port)) = target.forwarded_for else {
        return visit.endpoint([table::CLIENT_ADDRESS, table::CLIENT_PORT], exchange.client);
    };
    visit.address(table::CLIENT_ADDRESS, address);
    if let Some(port) = port {
        visit.int(table::CLIENT_PORT, port);
    }
}

/// The version the request was carried by, else the answer.
fn version(exchange: &Exchange) -> Option<Version> {
    let request = exchange.request.as_ref().map(|request| request.version);
    let answer = exchange.response.as_ref().or(exchange.interim.first());
    request.or(answer.map(|response| response.version))
}

fn sizes<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, exchange: &Exchange) {
    if let (Some(head), Some(end)) = (&exchange.request, &exchange.request_end)
        && let Some(body) = end.body_size
    {
        visit.int(table::REQUEST_BODY_SIZE, body);
        if is_unframed(head.version, &head.fields, end, exchange.dropped.request) {
            visit.int(table::REQUEST_SIZE, head.head_size.saturating_add(body));
        }
    }
    if let (Some(head), Some(end)) = (&exchange.response, &exchange.response_end)
        && let Some(body) = end.body_size
    {
        visit.int(table::RESPONSE_BODY_SIZE, body);
        if is_unframed(head.version, &head.fields, end, exchange.dropped.response) {
            visit.int(table::RESPONSE_SIZE, head.head_size.saturating_add(body));
        }
    }
}

/// Whether head and body are all that was on the wire. Chunks and frames add bytes that are not
/// counted, and a Transfer-Encoding that policy took away cannot be ruled out unless there is a
/// Content-Length, which excludes it (RFC 9112 section 6.2).
fn is_unframed(version: Version, fields: &Fields, end: &MessageEnd, dropped: u32) -> bool {
    version != Version::Http2
        && end.trailers.is_empty()
        && fields.first("transfer-encoding").is_none()
        && (dropped == 0 || fields.first("content-length").is_some())
}

fn own<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, exchange: &Exchange, view: &View) {
    visit.id(table::CONNECTION_ID, view.connection_id);
    visit.str(table::CONNECTION_ROLE, view.role.as_str());
    visit.flag(table::CONNECTION_TRUNCATED_START, exchange.truncated_start);
    visit.known(table::NETNS_INODE, u64::from(view.netns_inode));
    visit.known(table::SOCKET_COOKIE, view.socket_cookie);
    visit.int(table::REQUEST_INDEX, exchange.index);
    if let Some(stream) = exchange.stream_id {
        visit.int(table::STREAM_ID, stream);
    }
    if let (Some(request), Some(response)) = (&exchange.request, &exchange.response) {
        let ttfb = response.timing.first_byte.since(request.timing.first_byte);
        visit.int(table::TTFB_NS, ttfb);
    }
    visit.int(table::DURATION_NS, exchange.end().since(exchange.start()));
    visit.flag(table::DUPLICATE_TRACEPARENT, exchange.duplicate_traceparent);
    if let Some(request) = &exchange.request {
        oddities(visit, &table::REQUEST_ODDITIES, request.oddities);
    }
    if let Some(response) = &exchange.response {
        oddities(visit, &table::RESPONSE_ODDITIES, response.oddities);
    }
    interim_status(visit, &exchange.interim);
    unknown_fields(visit, exchange);
}

/// How many field lines were sent of which the name or the value is not known (RFC 7541).
fn unknown_fields<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, exchange: &Exchange) {
    let of_end = |end: &Option<MessageEnd>| end.as_ref().map_or(0, |end| end.trailers.unknown());
    let request = exchange.request.as_ref().map_or(0, |request| request.fields.unknown());
    let answers = exchange.response.iter().chain(&exchange.interim);
    let response = answers.map(|response| response.fields.unknown()).fold(0, u32::saturating_add);
    let (requests, responses) = (of_end(&exchange.request_end), of_end(&exchange.response_end));
    visit.known(table::REQUEST_UNKNOWN_FIELDS, u64::from(request) + u64::from(requests));
    visit.known(table::RESPONSE_UNKNOWN_FIELDS, u64::from(response) + u64::from(responses));
}

fn oddities<F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    names: &table::OddityNames,
    oddities: Oddities,
) {
    visit.flag(
        names.content_length_and_transfer_encoding,
        oddities.content_length_and_transfer_encoding,
    );
    visit.flag(names.duplicate_content_length, oddities.duplicate_content_length);
    visit.flag(names.obs_fold, oddities.obs_fold);
    visit.flag(names.bare_lf, oddities.bare_lf);
    visit.flag(names.space_before_colon, oddities.space_before_colon);
    visit.flag(names.truncated, oddities.truncated);
}

fn interim_status<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, interim: &[Response]) {
    if !interim.is_empty() {
        let known = interim.iter().filter(|response| response.status != 0);
        let codes: Vec<i64> = known.map(|response| i64::from(response.status)).collect();
        visit.give(Key::new(table::INTERIM_STATUS), Value::Ints(&codes));
    }
}

/// Visits the header fields of the exchange, which are the same in every view: at most `room`
/// attributes. Gives how many that took away: names that are not told at all, and of a name that
/// is repeated each line.
pub(crate) fn sections<F: FnMut(Key<'_>, Value<'_>)>(
    exchange: &Exchange,
    room: usize,
    visitor: &mut F,
) -> u32 {
    let mut sections = Sections { room, dropped: 0, visitor };
    let is_call = Call::of(exchange).is_some();
    let prefix = |fields, metadata| Prefix { fields, metadata: is_call.then_some(metadata) };
    if let Some(request) = &exchange.request {
        let prefix = prefix(table::REQUEST_HEADER, table::RPC_REQUEST_METADATA);
        sections.section(prefix, || request.fields.iter());
    }
    if let Some(response) = &exchange.response {
        let prefix = prefix(table::RESPONSE_HEADER, table::RPC_RESPONSE_METADATA);
        sections.section(prefix, || response.fields.iter());
    }
    if let Some(end) = &exchange.request_end {
        sections.section(Prefix::of(table::REQUEST_TRAILER), || end.trailers.iter());
    }
    if let Some(end) = &exchange.response_end {
        sections.section(Prefix::of(table::RESPONSE_TRAILER), || end.trailers.iter());
    }
    sections.section(Prefix::of(table::INTERIM_HEADER), || {
        exchange.interim.iter().flat_map(|response| response.fields.iter())
    });
    sections.dropped
}
