//! The line of a lookup: `A www.example.com NOERROR 192.0.2.1 12.3ms checkout[4242] ->
//! 10.0.0.2:53 dns/udp`.

use super::{arrow, push_duration, push_process};
use crate::dns::registry::{rcode_name, type_name};
use crate::dns::{Failure, Lookup};
use crate::exchange::{Role, View};
use crate::export::attributes::incomplete;
use crate::export::escape::push_printable;
use crate::export::number::{push_decimal, push_endpoint};

/// Answers that a line shows.
const ANSWERS_MAX: usize = 3;
/// Most bytes of a name, or of the data of one answer, in a line.
const MAX_TEXT_BYTES: usize = 256;

pub(crate) fn push_lookup(line: &mut String, lookup: &Lookup, view: &View) {
    push_asked(line, lookup);
    line.push(' ');
    push_result(line, lookup);
    push_answers(line, lookup);
    if let Some(duration) = lookup.duration_ns() {
        line.push(' ');
        push_duration(line, duration);
    }
    let (own, other) = match view.role {
        Role::Server => (lookup.server, lookup.client),
        Role::Client | Role::Observer => (lookup.client, lookup.server),
    };
    line.push(' ');
    push_process(line, &view.process, own);
    line.push_str(arrow(view.role));
    push_endpoint(line, other);
    line.push(' ');
    line.push_str(lookup.protocol.as_str());
    line.push('/');
    line.push_str(lookup.transport.as_str());
}

/// What is asked: `A www.example.com`, and how many questions more; `-` where that is not told.
pub(crate) fn push_asked(line: &mut String, lookup: &Lookup) {
    let [first, more @ ..] = lookup.questions() else { return line.push('-') };
    line.push_str(&type_name(first.rtype));
    line.push(' ');
    push_short(line, &first.name);
    push_more(line, more.len());
}

/// The response code, or why there is none.
pub(crate) fn push_result(line: &mut String, lookup: &Lookup) {
    if let Some(response) = &lookup.response {
        return line.push_str(&rcode_name(response.rcode()));
    }
    let word = match lookup.failure {
        Some(Failure::Timeout) => Some("timeout"),
        Some(Failure::Connection(failure)) => failure.error_type().or_else(|| incomplete(failure)),
        None if lookup.is_repeated => Some("repeated"),
        None => None,
    };
    line.push_str(word.unwrap_or("-"));
}

fn push_answers(line: &mut String, lookup: &Lookup) {
    let Some(message) = lookup.response.as_ref().or(lookup.query.as_ref()) else { return };
    for answer in message.answers.iter().take(ANSWERS_MAX) {
        line.push(' ');
        push_short(line, &answer.data);
    }
    push_more(line, message.answers.len().saturating_sub(ANSWERS_MAX));
}

fn push_more(line: &mut String, more: usize) {
    if more > 0 {
        line.push_str(" +");
        push_decimal(line, more as u64);
    }
}

fn push_short(line: &mut String, text: &str) {
    match text.as_bytes().get(..MAX_TEXT_BYTES) {
        Some(start) if text.len() > MAX_TEXT_BYTES => {
            push_printable(line, start);
            line.push_str("...");
        }
        _ => push_printable(line, text.as_bytes()),
    }
}
