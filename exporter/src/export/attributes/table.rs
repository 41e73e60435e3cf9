//! Every attribute name that leaves headertap, with its type: the one table.
//!
//! Names without the prefix `headertap.` are those of the semantic conventions at
//! [`crate::export::SCHEMA_URL`]; units stand in the suffix of our own. A name that ends in a dot
//! is a prefix: the lower-case name of a header field follows.
//!
//! Loki turns every character of a name that is not alphanumeric into `_`, so two fields whose
//! names differ only by `-` and `_` are one there.

/// The type of an attribute's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `string`
    Str,
    /// `int`
    Int,
    /// `boolean`
    Bool,
    /// `string[]`
    Strs,
    /// `int[]`
    Ints,
}
use Type::{Bool, Int, Ints, Str, Strs};

pub(crate) const SERVICE_NAME: &str = "service.name";
pub(crate) const SERVICE_NAMESPACE: &str = "service.namespace";
pub(crate) const SERVICE_VERSION: &str = "service.version";
pub(crate) const SERVICE_INSTANCE_ID: &str = "service.instance.id";
pub(crate) const DEPLOYMENT_ENVIRONMENT_NAME: &str = "deployment.environment.name";
pub(crate) const PROCESS_PID: &str = "process.pid";
pub(crate) const PROCESS_EXECUTABLE_NAME: &str = "process.executable.name";
pub(crate) const CONTAINER_ID: &str = "container.id";
pub(crate) const HOST_NAME: &str = "host.name";
pub(crate) const HOST_ID: &str = "host.id";
pub(crate) const HOST_ARCH: &str = "host.arch";
pub(crate) const OS_TYPE: &str = "os.type";
pub(crate) const TELEMETRY_DISTRO_NAME: &str = "telemetry.distro.name";
pub(crate) const TELEMETRY_DISTRO_VERSION: &str = "telemetry.distro.version";

/// What a Resource may hold. None of it is repeated on a record.
pub const RESOURCE: &[(&str, Type)] = &[
    (SERVICE_NAME, Str),
    (SERVICE_NAMESPACE, Str),
    (SERVICE_VERSION, Str),
    (SERVICE_INSTANCE_ID, Str),
    (DEPLOYMENT_ENVIRONMENT_NAME, Str),
    (PROCESS_PID, Int),
    (PROCESS_EXECUTABLE_NAME, Str),
    (CONTAINER_ID, Str),
    (HOST_NAME, Str),
    (HOST_ID, Str),
    (HOST_ARCH, Str),
    (OS_TYPE, Str),
    (TELEMETRY_DISTRO_NAME, Str),
    (TELEMETRY_DISTRO_VERSION, Str),
];

/// The log record's `event_name` again, for stores that do not keep the field.
pub(crate) const EVENT_NAME: &str = "headertap.event.name";

pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const CLIENT_ADDRESS: &str = "client.address";
pub(crate) const CLIENT_PORT: &str = "client.port";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";
pub(crate) const SOURCE_ADDRESS: &str = "source.address";
pub(crate) const SOURCE_PORT: &str = "source.port";
pub(crate) const DESTINATION_ADDRESS: &str = "destination.address";
pub(crate) const DESTINATION_PORT: &str = "destination.port";
pub(crate) const NETWORK_TRANSPORT: &str = "network.transport";
pub(crate) const NETWORK_TYPE: &str = "network.type";
pub(crate) const NETWORK_PROTOCOL_NAME: &str = "network.protocol.name";
pub(crate) const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
pub(crate) const NETWORK_LOCAL_ADDRESS: &str = "network.local.address";
pub(crate) const NETWORK_LOCAL_PORT: &str = "network.local.port";
pub(crate) const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
pub(crate) const NETWORK_PEER_PORT: &str = "network.peer.port";
pub(crate) const NETWORK_CONNECTION_STATE: &str = "network.connection.state";

pub(crate) const CONNECTION_ID: &str = "headertap.connection.id";
pub(crate) const CONNECTION_ROLE: &str = "headertap.connection.role";
pub(crate) const CONNECTION_DURATION_NS: &str = "headertap.connection.duration_ns";
pub(crate) const CONNECTION_CLOSE_REASON: &str = "headertap.connection.close_reason";
pub(crate) const CONNECTION_BYTES_SENT: &str = "headertap.connection.bytes_sent";
pub(crate) const CONNECTION_BYTES_RECEIVED: &str = "headertap.connection.bytes_received";
pub(crate) const CONNECTION_PACKETS_SENT: &str = "headertap.connection.packets_sent";
pub(crate) const CONNECTION_PACKETS_RECEIVED: &str = "headertap.connection.packets_received";
/// headertap joined the connection in mid-stream; only when true.
pub(crate) const CONNECTION_TRUNCATED_START: &str = "headertap.connection.truncated_start";
pub(crate) const NETNS_INODE: &str = "headertap.netns.inode";
pub(crate) const SOCKET_COOKIE: &str = "headertap.socket.cookie";
pub(crate) const TCP_RETRANSMITS: &str = "headertap.tcp.retransmits";
pub(crate) const TCP_SRTT_US: &str = "headertap.tcp.srtt_us";
pub(crate) const TCP_MIN_RTT_US: &str = "headertap.tcp.min_rtt_us";
pub(crate) const TCP_CWND: &str = "headertap.tcp.cwnd";

pub(crate) const REQUEST_METHOD: &str = "http.request.method";
pub(crate) const REQUEST_METHOD_ORIGINAL: &str = "http.request.method_original";
pub(crate) const URL_FULL: &str = "url.full";
pub(crate) const URL_SCHEME: &str = "url.scheme";
pub(crate) const URL_PATH: &str = "url.path";
pub(crate) const URL_QUERY: &str = "url.query";
pub(crate) const RESPONSE_STATUS_CODE: &str = "http.response.status_code";
pub(crate) const USER_AGENT_ORIGINAL: &str = "user_agent.original";
pub(crate) const REQUEST_BODY_SIZE: &str = "http.request.body.size";
pub(crate) const REQUEST_SIZE: &str = "http.request.size";
pub(crate) const RESPONSE_BODY_SIZE: &str = "http.response.body.size";
pub(crate) const RESPONSE_SIZE: &str = "http.response.size";
pub(crate) const REQUEST_HEADER: &str = "http.request.header.";
pub(crate) const RESPONSE_HEADER: &str = "http.response.header.";
pub(crate) const REQUEST_TRAILER: &str = "headertap.http.request.trailer.";
pub(crate) const RESPONSE_TRAILER: &str = "headertap.http.response.trailer.";
/// Fields of interim (1xx) responses, all of them together.
pub(crate) const INTERIM_HEADER: &str = "headertap.http.interim.header.";
/// Status codes of the interim (1xx) responses, in order.
pub(crate) const INTERIM_STATUS: &str = "headertap.http.interim_status";
/// How many field lines of the request, trailers included, were sent and are not known; only where
/// there are any.
pub(crate) const REQUEST_UNKNOWN_FIELDS: &str = "headertap.http.request.unknown_fields";
/// The same of the responses.
pub(crate) const RESPONSE_UNKNOWN_FIELDS: &str = "headertap.http.response.unknown_fields";
/// Why HTTP/2 ended the stream or connection, by the name in RFC 9113.
pub(crate) const ERROR_CODE: &str = "headertap.http.error_code";

pub(crate) const RPC_SYSTEM_NAME: &str = "rpc.system.name";
pub(crate) const RPC_METHOD: &str = "rpc.method";
pub(crate) const RPC_RESPONSE_STATUS_CODE: &str = "rpc.response.status_code";
/// Fields of a call's request that gRPC does not use itself.
pub(crate) const RPC_REQUEST_METADATA: &str = "rpc.request.metadata.";
/// The same of its response's head.
pub(crate) const RPC_RESPONSE_METADATA: &str = "rpc.response.metadata.";
/// The deadline that the client gave, as written: `100m`.
pub(crate) const GRPC_TIMEOUT: &str = "headertap.grpc.timeout";

pub(crate) const REQUEST_INDEX: &str = "headertap.http.request_index";
/// The reason phrase, where it is not the usual one of the status.
pub(crate) const REASON_PHRASE: &str = "headertap.http.response.reason_phrase";
/// The version of the response, where it is not the request's.
pub(crate) const RESPONSE_VERSION: &str = "headertap.http.response.protocol_version";
/// The request target as on the wire, where it is not in origin form (RFC 9112 section 3.2).
pub(crate) const REQUEST_TARGET: &str = "headertap.http.request.target";
pub(crate) const STREAM_ID: &str = "headertap.http.stream_id";
/// From the request's first byte to the response's.
pub(crate) const TTFB_NS: &str = "headertap.http.ttfb_ns";
/// From the request's first byte to the last thing seen of the exchange.
pub(crate) const DURATION_NS: &str = "headertap.http.duration_ns";
/// `gap` or `unfinished`: what is missing was not seen, which says nothing of the traffic.
pub(crate) const INCOMPLETE: &str = "headertap.http.incomplete";
pub(crate) const DUPLICATE_TRACEPARENT: &str = "headertap.http.duplicate_traceparent";

/// What is remarkable about the head of one side; only when true.
pub(crate) struct OddityNames {
    pub(crate) content_length_and_transfer_encoding: &'static str,
    pub(crate) duplicate_content_length: &'static str,
    pub(crate) obs_fold: &'static str,
    pub(crate) bare_lf: &'static str,
    pub(crate) space_before_colon: &'static str,
    pub(crate) truncated: &'static str,
}
pub(crate) const REQUEST_ODDITIES: OddityNames = OddityNames {
    content_length_and_transfer_encoding: "headertap.http.request.content_length_and_transfer_encoding",
    duplicate_content_length: "headertap.http.request.duplicate_content_length",
    obs_fold: "headertap.http.request.obs_fold",
    bare_lf: "headertap.http.request.bare_lf",
    space_before_colon: "headertap.http.request.space_before_colon",
    truncated: "headertap.http.request.headers_truncated",
};
pub(crate) const RESPONSE_ODDITIES: OddityNames = OddityNames {
    content_length_and_transfer_encoding: "headertap.http.response.content_length_and_transfer_encoding",
    duplicate_content_length: "headertap.http.response.duplicate_content_length",
    obs_fold: "headertap.http.response.obs_fold",
    bare_lf: "headertap.http.response.bare_lf",
    space_before_colon: "headertap.http.response.space_before_colon",
    truncated: "headertap.http.response.headers_truncated",
};

pub(crate) const TLS_PROTOCOL_NAME: &str = "tls.protocol.name";
pub(crate) const TLS_PROTOCOL_VERSION: &str = "tls.protocol.version";
pub(crate) const TLS_CLIENT_CIPHERS: &str = "tls.client.supported_ciphers";
pub(crate) const TLS_CLIENT_JA3: &str = "tls.client.ja3";
pub(crate) const TLS_SERVER_JA3S: &str = "tls.server.ja3s";
pub(crate) const TLS_CIPHER: &str = "tls.cipher";
pub(crate) const TLS_CURVE: &str = "tls.curve";
pub(crate) const TLS_NEXT_PROTOCOL: &str = "tls.next_protocol";
pub(crate) const TLS_RESUMED: &str = "tls.resumed";
pub(crate) const TLS_CLIENT_LEGACY_VERSION: &str = "headertap.tls.client.legacy_version";
pub(crate) const TLS_CLIENT_VERSIONS: &str = "headertap.tls.client.supported_versions";
pub(crate) const TLS_CLIENT_EXTENSIONS: &str = "headertap.tls.client.extensions";
pub(crate) const TLS_CLIENT_GROUPS: &str = "headertap.tls.client.supported_groups";
pub(crate) const TLS_CLIENT_POINT_FORMATS: &str = "headertap.tls.client.point_formats";
pub(crate) const TLS_CLIENT_SIGNATURES: &str = "headertap.tls.client.signature_algorithms";
pub(crate) const TLS_CLIENT_ALPN: &str = "headertap.tls.client.alpn";
pub(crate) const TLS_CLIENT_JA4: &str = "headertap.tls.client.ja4";
/// There is an Encrypted Client Hello: the server's name is the outer one. Only when true.
pub(crate) const TLS_CLIENT_ECH: &str = "headertap.tls.client.ech";
/// An earlier session, ticket or key is shown; only when true.
pub(crate) const TLS_CLIENT_OFFERS_RESUMPTION: &str = "headertap.tls.client.offers_resumption";
/// The extensions break their grammar, and only those before are told; only when true.
pub(crate) const TLS_CLIENT_MALFORMED: &str = "headertap.tls.client.malformed";
pub(crate) const TLS_SERVER_MALFORMED: &str = "headertap.tls.server.malformed";
pub(crate) const TLS_SERVER_LEGACY_VERSION: &str = "headertap.tls.server.legacy_version";
/// By the extension `supported_versions`.
pub(crate) const TLS_SERVER_SELECTED_VERSION: &str = "headertap.tls.server.selected_version";
pub(crate) const TLS_SERVER_EXTENSIONS: &str = "headertap.tls.server.extensions";
/// The answer is a HelloRetryRequest; only when true.
pub(crate) const TLS_RETRY: &str = "headertap.tls.retry";
pub(crate) const TLS_ALERT_LEVEL: &str = "headertap.tls.alert.level";
pub(crate) const TLS_ALERT_DESCRIPTION: &str = "headertap.tls.alert.description";
/// `client` or `server`.
pub(crate) const TLS_ALERT_SENDER: &str = "headertap.tls.alert.sender";
/// From the whole ClientHello to the whole answer.
pub(crate) const TLS_DURATION_NS: &str = "headertap.tls.duration_ns";
/// `gap` or `unfinished`, as for HTTP.
pub(crate) const TLS_INCOMPLETE: &str = "headertap.tls.incomplete";
/// Policy cut lists of the hellos short; only when true.
pub(crate) const TLS_LISTS_CUT: &str = "headertap.tls.lists_cut";
pub(crate) const DNS_QUESTION_NAME: &str = "dns.question.name";
/// The addresses among the answers.
pub(crate) const DNS_ANSWERS: &str = "dns.answers";
pub(crate) const DNS_ID: &str = "headertap.dns.id";
pub(crate) const DNS_OPCODE: &str = "headertap.dns.opcode";
/// Those of the response, or of the query where there is no response; then counts and sizes too.
pub(crate) const DNS_FLAGS: &str = "headertap.dns.flags";
/// Questions, answers, authority and additional records, as the header tells of them.
pub(crate) const DNS_COUNTS: &str = "headertap.dns.counts";
pub(crate) const DNS_SIZE: &str = "headertap.dns.size";
pub(crate) const DNS_QUERY_FLAGS: &str = "headertap.dns.query.flags";
pub(crate) const DNS_QUERY_COUNTS: &str = "headertap.dns.query.counts";
pub(crate) const DNS_QUERY_SIZE: &str = "headertap.dns.query.size";
pub(crate) const DNS_QUESTION_TYPE: &str = "headertap.dns.question.type";
pub(crate) const DNS_QUESTION_CLASS: &str = "headertap.dns.question.class";
/// All questions, where there is more than one.
pub(crate) const DNS_QUESTION_NAMES: &str = "headertap.dns.question.names";
pub(crate) const DNS_QUESTION_TYPES: &str = "headertap.dns.question.types";
pub(crate) const DNS_QUESTION_CLASSES: &str = "headertap.dns.question.classes";
/// Of each question 1 if it wants a unicast response, else 0; only where one does.
pub(crate) const DNS_QUESTION_UNICAST: &str = "headertap.dns.question.unicast_response";
/// The name that the response repeats, where its letters are of another case.
pub(crate) const DNS_RESPONSE_NAME: &str = "headertap.dns.response.question_name";
pub(crate) const DNS_RESPONSE_CODE: &str = "headertap.dns.response.code";
pub(crate) const DNS_TRUNCATED: &str = "headertap.dns.truncated";
/// The answers, in one order.
pub(crate) const DNS_ANSWER_NAMES: &str = "headertap.dns.answer.names";
pub(crate) const DNS_ANSWER_TYPES: &str = "headertap.dns.answer.types";
pub(crate) const DNS_ANSWER_TTLS: &str = "headertap.dns.answer.ttls";
pub(crate) const DNS_ANSWER_DATA: &str = "headertap.dns.answer.data";
/// Only where one is not IN.
pub(crate) const DNS_ANSWER_CLASSES: &str = "headertap.dns.answer.classes";
/// Of each answer 1 if it replaces what is cached, else 0; only where one does.
pub(crate) const DNS_ANSWER_CACHE_FLUSH: &str = "headertap.dns.answer.cache_flush";
pub(crate) const DNS_ANSWER_TTL_MIN: &str = "headertap.dns.answer.ttl_min";
/// From the query to the response.
pub(crate) const DNS_DURATION_NS: &str = "headertap.dns.duration_ns";
/// The query had been asked before, and the response to that one serves.
pub(crate) const DNS_REPEATED: &str = "headertap.dns.repeated";
/// A record of a message breaks the rules.
pub(crate) const DNS_MALFORMED: &str = "headertap.dns.malformed";
/// `gap` or `unfinished`: what is missing was not seen, which says nothing of the traffic.
pub(crate) const DNS_INCOMPLETE: &str = "headertap.dns.incomplete";

/// The OPT record of one message.
pub(crate) struct EdnsNames {
    pub(crate) udp_size: &'static str,
    pub(crate) version: &'static str,
    pub(crate) dnssec_ok: &'static str,
    pub(crate) options: &'static str,
    pub(crate) errors: &'static str,
}
pub(crate) const DNS_QUERY_EDNS: EdnsNames = EdnsNames {
    udp_size: "headertap.dns.query.edns.udp_size",
    version: "headertap.dns.query.edns.version",
    dnssec_ok: "headertap.dns.query.edns.dnssec_ok",
    options: "headertap.dns.query.edns.options",
    errors: "headertap.dns.query.edns.errors",
};
pub(crate) const DNS_RESPONSE_EDNS: EdnsNames = EdnsNames {
    udp_size: "headertap.dns.response.edns.udp_size",
    version: "headertap.dns.response.edns.version",
    dnssec_ok: "headertap.dns.response.edns.dnssec_ok",
    options: "headertap.dns.response.edns.options",
    errors: "headertap.dns.response.edns.errors",
};

/// What a log record or span may hold.
pub const RECORD: &[(&str, Type)] = &[
    (EVENT_NAME, Str),
    (ERROR_TYPE, Str),
    (CLIENT_ADDRESS, Str),
    (CLIENT_PORT, Int),
    (SERVER_ADDRESS, Str),
    (SERVER_PORT, Int),
    (SOURCE_ADDRESS, Str),
    (SOURCE_PORT, Int),
    (DESTINATION_ADDRESS, Str),
    (DESTINATION_PORT, Int),
    (NETWORK_TRANSPORT, Str),
    (NETWORK_TYPE, Str),
    (NETWORK_PROTOCOL_NAME, Str),
    (NETWORK_PROTOCOL_VERSION, Str),
    (NETWORK_LOCAL_ADDRESS, Str),
    (NETWORK_LOCAL_PORT, Int),
    (NETWORK_PEER_ADDRESS, Str),
    (NETWORK_PEER_PORT, Int),
    (NETWORK_CONNECTION_STATE, Str),
    (CONNECTION_ID, Str),
    (CONNECTION_ROLE, Str),
    (CONNECTION_DURATION_NS, Int),
    (CONNECTION_CLOSE_REASON, Str),
    (CONNECTION_BYTES_SENT, Int),
    (CONNECTION_BYTES_RECEIVED, Int),
    (CONNECTION_PACKETS_SENT, Int),
    (CONNECTION_PACKETS_RECEIVED, Int),
    (CONNECTION_TRUNCATED_START, Bool),
    (NETNS_INODE, Int),
    (SOCKET_COOKIE, Int),
    (TCP_RETRANSMITS, Int),
    (TCP_SRTT_US, Int),
    (TCP_MIN_RTT_US, Int),
    (TCP_CWND, Int),
    (REQUEST_METHOD, Str),
    (REQUEST_METHOD_ORIGINAL, Str),
    (URL_FULL, Str),
    (URL_SCHEME, Str),
    (URL_PATH, Str),
    (URL_QUERY, Str),
    (RESPONSE_STATUS_CODE, Int),
    (USER_AGENT_ORIGINAL, Str),
    (REQUEST_BODY_SIZE, Int),
    (REQUEST_SIZE, Int),
    (RESPONSE_BODY_SIZE, Int),
    (RESPONSE_SIZE, Int),
    (REQUEST_HEADER, Strs),
    (RESPONSE_HEADER, Strs),
    (REQUEST_TRAILER, Strs),
    (RESPONSE_TRAILER, Strs),
    (INTERIM_HEADER, Strs),
    (INTERIM_STATUS, Ints),
    (REQUEST_UNKNOWN_FIELDS, Int),
    (RESPONSE_UNKNOWN_FIELDS, Int),
    (ERROR_CODE, Str),
    (RPC_SYSTEM_NAME, Str),
    (RPC_METHOD, Str),
    (RPC_RESPONSE_STATUS_CODE, Str),
    (RPC_REQUEST_METADATA, Strs),
    (RPC_RESPONSE_METADATA, Strs),
    (GRPC_TIMEOUT, Str),
    (REQUEST_INDEX, Int),
    (STREAM_ID, Int),
    (REASON_PHRASE, Str),
    (RESPONSE_VERSION, Str),
    (REQUEST_TARGET, Str),
    (TTFB_NS, Int),
    (DURATION_NS, Int),
    (INCOMPLETE, Str),
    (DUPLICATE_TRACEPARENT, Bool),
    (REQUEST_ODDITIES.content_length_and_transfer_encoding, Bool),
    (REQUEST_ODDITIES.duplicate_content_length, Bool),
    (REQUEST_ODDITIES.obs_fold, Bool),
    (REQUEST_ODDITIES.bare_lf, Bool),
    (REQUEST_ODDITIES.space_before_colon, Bool),
    (REQUEST_ODDITIES.truncated, Bool),
    (RESPONSE_ODDITIES.content_length_and_transfer_encoding, Bool),
    (RESPONSE_ODDITIES.duplicate_content_length, Bool),
    (RESPONSE_ODDITIES.obs_fold, Bool),
    (RESPONSE_ODDITIES.bare_lf, Bool),
    (RESPONSE_ODDITIES.space_before_colon, Bool),
    (RESPONSE_ODDITIES.truncated, Bool),
    (TLS_PROTOCOL_NAME, Str),
    (TLS_PROTOCOL_VERSION, Str),
    (TLS_CLIENT_CIPHERS, Strs),
    (TLS_CLIENT_JA3, Str),
    (TLS_SERVER_JA3S, Str),
    (TLS_CIPHER, Str),
    (TLS_CURVE, Str),
    (TLS_NEXT_PROTOCOL, Str),
    (TLS_RESUMED, Bool),
    (TLS_CLIENT_LEGACY_VERSION, Str),
    (TLS_CLIENT_VERSIONS, Strs),
    (TLS_CLIENT_EXTENSIONS, Strs),
    (TLS_CLIENT_GROUPS, Strs),
    (TLS_CLIENT_POINT_FORMATS, Ints),
    (TLS_CLIENT_SIGNATURES, Strs),
    (TLS_CLIENT_ALPN, Strs),
    (TLS_CLIENT_JA4, Str),
    (TLS_CLIENT_ECH, Bool),
    (TLS_CLIENT_OFFERS_RESUMPTION, Bool),
    (TLS_CLIENT_MALFORMED, Bool),
    (TLS_SERVER_MALFORMED, Bool),
    (TLS_SERVER_LEGACY_VERSION, Str),
    (TLS_SERVER_SELECTED_VERSION, Str),
    (TLS_SERVER_EXTENSIONS, Strs),
    (TLS_RETRY, Bool),
    (TLS_ALERT_LEVEL, Str),
    (TLS_ALERT_DESCRIPTION, Str),
    (TLS_ALERT_SENDER, Str),
    (TLS_DURATION_NS, Int),
    (TLS_INCOMPLETE, Str),
    (TLS_LISTS_CUT, Bool),
    (DNS_QUESTION_NAME, Str),
    (DNS_ANSWERS, Strs),
    (DNS_ID, Int),
    (DNS_OPCODE, Str),
    (DNS_FLAGS, Strs),
    (DNS_COUNTS, Ints),
    (DNS_SIZE, Int),
    (DNS_QUERY_FLAGS, Strs),
    (DNS_QUERY_COUNTS, Ints),
    (DNS_QUERY_SIZE, Int),
    (DNS_QUESTION_TYPE, Str),
    (DNS_QUESTION_CLASS, Str),
    (DNS_QUESTION_NAMES, Strs),
    (DNS_QUESTION_TYPES, Strs),
    (DNS_QUESTION_CLASSES, Strs),
    (DNS_QUESTION_UNICAST, Ints),
    (DNS_RESPONSE_NAME, Str),
    (DNS_RESPONSE_CODE, Str),
    (DNS_TRUNCATED, Bool),
    (DNS_ANSWER_NAMES, Strs),
    (DNS_ANSWER_TYPES, Strs),
    (DNS_ANSWER_TTLS, Ints),
    (DNS_ANSWER_DATA, Strs),
    (DNS_ANSWER_CLASSES, Strs),
    (DNS_ANSWER_CACHE_FLUSH, Ints),
    (DNS_ANSWER_TTL_MIN, Int),
    (DNS_DURATION_NS, Int),
    (DNS_REPEATED, Bool),
    (DNS_MALFORMED, Bool),
    (DNS_INCOMPLETE, Str),
    (DNS_QUERY_EDNS.udp_size, Int),
    (DNS_QUERY_EDNS.version, Int),
    (DNS_QUERY_EDNS.dnssec_ok, Bool),
    (DNS_QUERY_EDNS.options, Strs),
    (DNS_QUERY_EDNS.errors, Ints),
    (DNS_RESPONSE_EDNS.udp_size, Int),
    (DNS_RESPONSE_EDNS.version, Int),
    (DNS_RESPONSE_EDNS.dnssec_ok, Bool),
    (DNS_RESPONSE_EDNS.options, Strs),
    (DNS_RESPONSE_EDNS.errors, Ints),
];
