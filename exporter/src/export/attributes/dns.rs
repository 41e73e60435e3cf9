//! The attributes of a lookup as one end took part in it.
//!
//! What both messages have is told of the response, and of the query beside it.

use super::{Key, Value, Visit, incomplete, network_type, table};
use crate::dns::registry::{class_name, opcode_name, option_name, rcode_name, type_name};
use crate::dns::{Edns, Extent, Failure, Flags, Lookup, Message, Question, Record};
use crate::exchange::{Role, View};

/// Types whose data is an address.
const ADDRESS_TYPES: [u16; 2] = [1, 28];
const CLASS_IN: u16 = 1;

/// Visits the attributes of the lookup in this view.
pub(crate) fn lookup<F: FnMut(Key<'_>, Value<'_>)>(lookup: &Lookup, view: &View, visitor: &mut F) {
    let mut visit = Visit::new(visitor);
    error(&mut visit, lookup);
    network(&mut visit, lookup, view.role);
    if let Some(last) = lookup.response.as_ref().or(lookup.query.as_ref()) {
        header(&mut visit, last);
        questions(&mut visit, lookup);
        answers(&mut visit, &last.answers);
    }
    if let (Some(query), Some(response)) = (&lookup.query, &lookup.response) {
        beside(&mut visit, query, response);
    }
    let messages =
        [(&lookup.query, &table::DNS_QUERY_EDNS), (&lookup.response, &table::DNS_RESPONSE_EDNS)];
    for (message, names) in messages {
        if let Some(options) = message.as_ref().and_then(|message| message.edns.as_ref()) {
            edns(&mut visit, names, options);
        }
    }
    own(&mut visit, lookup, view);
}

/// The response code, if it says that the lookup failed.
pub(crate) fn error_code(lookup: &Lookup) -> Option<u16> {
    lookup.response.as_ref().map(Message::rcode).filter(|code| *code != 0)
}

fn error<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, lookup: &Lookup) {
    if let Some(code) = error_code(lookup) {
        visit.str(table::ERROR_TYPE, &rcode_name(code));
    } else if let Some(reason) = lookup.failure.and_then(Failure::error_type) {
        visit.str(table::ERROR_TYPE, reason);
    }
}

fn network<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, lookup: &Lookup, role: Role) {
    const LOCAL: [&str; 2] = [table::NETWORK_LOCAL_ADDRESS, table::NETWORK_LOCAL_PORT];
    const PEER: [&str; 2] = [table::NETWORK_PEER_ADDRESS, table::NETWORK_PEER_PORT];
    let (client, server) = (lookup.client, lookup.server);
    visit.endpoint([table::CLIENT_ADDRESS, table::CLIENT_PORT], client);
    visit.endpoint([table::SERVER_ADDRESS, table::SERVER_PORT], server);
    match role {
        Role::Client => {
            visit.endpoint(LOCAL, client);
            visit.endpoint(PEER, server);
        }
        Role::Server => {
            visit.endpoint(LOCAL, server);
            visit.endpoint(PEER, client);
        }
        Role::Observer => {
            visit.endpoint([table::SOURCE_ADDRESS, table::SOURCE_PORT], client);
            visit.endpoint([table::DESTINATION_ADDRESS, table::DESTINATION_PORT], server);
        }
    }
    visit.str(table::NETWORK_TRANSPORT, lookup.transport.as_str());
    visit.str(table::NETWORK_TYPE, network_type(&server));
    visit.str(table::NETWORK_PROTOCOL_NAME, lookup.protocol.as_str());
}

fn header<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, message: &Message) {
    visit.int(table::DNS_ID, message.id);
    visit.str(table::DNS_OPCODE, &opcode_name(message.flags.opcode()));
    flags(visit, table::DNS_FLAGS, message.flags);
    counts(visit, table::DNS_COUNTS, message);
    visit.int(table::DNS_SIZE, message.size);
    if message.flags.is_response() {
        visit.str(table::DNS_RESPONSE_CODE, &rcode_name(message.rcode()));
    }
    visit.flag(table::DNS_TRUNCATED, message.flags.is_truncated());
}

/// Of the query what the response has as well.
fn beside<F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    query: &Message,
    response: &Message,
) {
    flags(visit, table::DNS_QUERY_FLAGS, query.flags);
    counts(visit, table::DNS_QUERY_COUNTS, query);
    visit.int(table::DNS_QUERY_SIZE, query.size);
    if let (Some(asked), Some(repeated)) = (query.questions.first(), response.questions.first())
        && asked.name != repeated.name
    {
        visit.str(table::DNS_RESPONSE_NAME, &repeated.name);
    }
}

fn flags<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, key: &'static str, flags: Flags) {
    let names = Flags::NAMES.into_iter().filter(|(bit, _)| flags.0 & bit != 0);
    let names: Vec<&[u8]> = names.map(|(_, name)| name.as_bytes()).collect();
    visit.give(Key::new(key), Value::Strs(&names));
}

fn counts<F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    key: &'static str,
    message: &Message,
) {
    visit.give(Key::new(key), Value::Ints(&message.counts.map(i64::from)));
}

fn questions<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, lookup: &Lookup) {
    let questions = lookup.questions();
    if let Some(first) = questions.first() {
        visit.str(table::DNS_QUESTION_NAME, &first.name);
        visit.str(table::DNS_QUESTION_TYPE, &type_name(first.rtype));
        visit.str(table::DNS_QUESTION_CLASS, &class_name(first.class));
    }
    if questions.len() > 1 {
        strs(visit, table::DNS_QUESTION_NAMES, questions, |it| &it.name);
        strs(visit, table::DNS_QUESTION_TYPES, questions, |it| type_name(it.rtype));
        strs(visit, table::DNS_QUESTION_CLASSES, questions, |it| class_name(it.class));
    }
    marks(visit, table::DNS_QUESTION_UNICAST, questions, |it: &Question| it.wants_unicast);
}

fn answers<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, answers: &[Record]) {
    let Some(ttl_min) = answers.iter().map(|answer| answer.ttl).min() else { return };
    let is_address =
        |answer: &&Record| ADDRESS_TYPES.contains(&answer.rtype) && answer.class == CLASS_IN;
    let addresses: Vec<&Record> = answers.iter().filter(is_address).collect();
    if !addresses.is_empty() {
        strs(visit, table::DNS_ANSWERS, &addresses, |it| &it.data);
    }
    strs(visit, table::DNS_ANSWER_NAMES, answers, |it| &it.name);
    strs(visit, table::DNS_ANSWER_TYPES, answers, |it| type_name(it.rtype));
    let ttls: Vec<i64> = answers.iter().map(|answer| answer.ttl.into()).collect();
    visit.give(Key::new(table::DNS_ANSWER_TTLS), Value::Ints(&ttls));
    strs(visit, table::DNS_ANSWER_DATA, answers, |it| &it.data);
    if answers.iter().any(|answer| answer.class != CLASS_IN) {
        strs(visit, table::DNS_ANSWER_CLASSES, answers, |it| class_name(it.class));
    }
    marks(visit, table::DNS_ANSWER_CACHE_FLUSH, answers, |it: &Record| it.flushes_cache);
    visit.int(table::DNS_ANSWER_TTL_MIN, ttl_min);
}

/// One string of each item.
fn strs<'i, T, S: AsRef<str>, F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    key: &'static str,
    items: &'i [T],
    of: impl Fn(&'i T) -> S,
) {
    let texts: Vec<S> = items.iter().map(of).collect();
    let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_ref().as_bytes()).collect();
    visit.give(Key::new(key), Value::Strs(&texts));
}

/// A 1 for each item that is marked, unless none is.
fn marks<T, F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    key: &'static str,
    items: &[T],
    is_marked: impl Fn(&T) -> bool,
) {
    if items.iter().any(&is_marked) {
        let marks: Vec<i64> = items.iter().map(|item| is_marked(item).into()).collect();
        visit.give(Key::new(key), Value::Ints(&marks));
    }
}

fn edns<F: FnMut(Key<'_>, Value<'_>)>(
    visit: &mut Visit<'_, F>,
    names: &table::EdnsNames,
    edns: &Edns,
) {
    visit.int(names.udp_size, edns.udp_size);
    visit.int(names.version, edns.version);
    visit.flag(names.dnssec_ok, edns.dnssec_ok);
    if !edns.options.is_empty() {
        strs(visit, names.options, &edns.options, |it| option_name(*it));
    }
    if !edns.errors.is_empty() {
        let errors: Vec<i64> = edns.errors.iter().map(|error| (*error).into()).collect();
        visit.give(Key::new(names.errors), Value::Ints(&errors));
    }
}

fn own<F: FnMut(Key<'_>, Value<'_>)>(visit: &mut Visit<'_, F>, lookup: &Lookup, view: &View) {
    if let Some(duration) = lookup.duration_ns() {
        visit.int(table::DNS_DURATION_NS, duration);
    }
    visit.flag(table::DNS_REPEATED, lookup.is_repeated);
    visit.flag(table::DNS_MALFORMED, lookup.has(Extent::Malformed));
    let of_connection = match lookup.failure {
        Some(Failure::Connection(failure)) => incomplete(failure),
        Some(Failure::Timeout) | None => None,
    };
    if let Some(word) = of_connection.or(lookup.has(Extent::Captured).then_some("gap")) {
        visit.str(table::DNS_INCOMPLETE, word);
    }
    if view.connection_id != 0 {
        visit.id(table::CONNECTION_ID, view.connection_id);
    }
    visit.str(table::CONNECTION_ROLE, view.role.as_str());
    visit.known(table::NETNS_INODE, u64::from(view.netns_inode));
    visit.known(table::SOCKET_COOKIE, view.socket_cookie);
}
