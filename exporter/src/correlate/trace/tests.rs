//! The rules for parents, row by row: what is seen of an exchange, what its request says, and
//! whose processes are at its ends.

use super::{ADOPTED_MAX, ADOPTION_MAX_NS, ADOPTIONS_MAX, Ends, INBOUND_MAX, Place, Trace, Tracer};
use crate::exchange::{SpanContext, SpanLink};
use crate::flow::{Endpoint, Timestamp};
use crate::http::{HeadTiming, Oddities, Request, Version};
use crate::process::Process;

const T: [u8; 16] = [
    0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36,
];
const S: [u8; 8] = [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7];
const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const NONE: [u8; 8] = [0; 8];

fn plain(pid: u32) -> Process {
    Process { pid, ..Process::default() }
}

fn instrumented(pid: u32) -> Process {
    Process { instrumented: true, ..plain(pid) }
}

fn request_at(at: Timestamp, lines: &[&str]) -> Request {
    Request {
        method: b"GET".to_vec(),
        target: b"/".to_vec(),
        version: Version::Http11,
        fields: lines.iter().map(|value| ("traceparent", *value)).collect(),
        head_size: 0,
        timing: HeadTiming { first_byte: at, complete: at },
        oddities: Oddities::default(),
    }
}

fn request(lines: &[&str]) -> Request {
    request_at(Timestamp(1), lines)
}

fn place(index: u64) -> Place {
    let endpoint = |last| Endpoint { address: [last; 16], port: 80 };
    Place { client: endpoint(1), server: endpoint(2), start: Timestamp(1), index }
}

/// The views of one exchange, as `flow` makes them.
#[derive(Debug)]
struct Seen {
    trace: Trace,
    client: Option<SpanContext>,
    server: Option<SpanContext>,
}

fn see(
    tracer: &mut Tracer,
    request: &Request,
    index: u64,
    client: Option<&Process>,
    server: Option<&Process>,
) -> Seen {
    let place = place(index);
    let trace = tracer.trace(Some(request), &place, Ends { client, server });
    let client = client.map(|process| Tracer::client(&trace, &place, process));
    let server = server.map(|process| Tracer::server(&trace, &place, process, client.as_ref()));
    Seen { trace, client, server }
}

fn once(lines: &[&str], client: Option<&Process>, server: Option<&Process>) -> Seen {
    see(&mut Tracer::new([1; 16]), &request(lines), 0, client, server)
}

/// A log record of its own process's span, and no span of ours.
fn of_header(flags: u8) -> SpanContext {
    SpanContext { trace_id: T, span_id: S, flags, ..SpanContext::default() }
}

fn client_of(seen: &Seen) -> SpanContext {
    seen.client.expect("the client is on this host")
}

fn server_of(seen: &Seen) -> SpanContext {
    seen.server.expect("the server is on this host")
}

#[test]
fn a_client_is_a_child_of_the_header() {
    let client = client_of(&once(&[HEADER], Some(&plain(5)), None));
    assert_eq!((client.trace_id, client.parent_span_id), (T, S));
    assert_eq!((client.has_span, client.remote_parent, client.flags), (true, false, 1));
    assert!(client.span_id != S && client.span_id != NONE);
}

#[test]
fn a_client_that_forwards_a_request_is_a_child_of_the_span_of_that_request() {
    let mut tracer = Tracer::new([1; 16]);
    let inbound = see(&mut tracer, &request(&[HEADER]), 0, None, Some(&plain(5)));
    let outbound = see(&mut tracer, &request(&[HEADER]), 1, Some(&plain(5)), None);
    let worker = Process { parent_pid: 5, ..plain(6) };
    let of_worker = see(&mut tracer, &request(&[HEADER]), 2, Some(&worker), None);
    let other = see(&mut tracer, &request(&[HEADER]), 3, Some(&plain(7)), None);
    let x = server_of(&inbound).span_id;
    assert_eq!(client_of(&outbound).parent_span_id, x);
    assert_eq!(client_of(&of_worker).parent_span_id, x, "the listener is its parent's");
    assert_eq!(client_of(&other).parent_span_id, S);
}

#[test]
fn what_is_sent_after_a_request_is_over_was_not_forwarded_from_it() {
    let mut tracer = Tracer::new([1; 16]);
    let server = plain(5);
    let inbound = see(&mut tracer, &request(&[HEADER]), 0, None, Some(&server));
    tracer.close(&inbound.trace, Some(&server));
    let outbound = see(&mut tracer, &request(&[HEADER]), 1, Some(&plain(5)), None);
    assert_eq!(client_of(&outbound).parent_span_id, S);
}

#[test]
fn processes_that_are_not_known_are_not_one_process() {
    let mut tracer = Tracer::new([1; 16]);
    see(&mut tracer, &request(&[HEADER]), 0, None, Some(&plain(0)));
    let outbound = see(&mut tracer, &request(&[HEADER]), 1, Some(&plain(0)), None);
    assert_eq!(client_of(&outbound).parent_span_id, S);
}

#[test]
fn a_span_that_was_never_emitted_is_nobodys_parent() {
    let mut tracer = Tracer::new([1; 16]);
    see(&mut tracer, &request(&[HEADER]), 0, None, Some(&instrumented(5)));
    let child = Process { parent_pid: 5, ..plain(6) };
    let outbound = see(&mut tracer, &request(&[HEADER]), 1, Some(&child), None);
    assert_eq!(client_of(&outbound).parent_span_id, S);
}

#[test]
fn an_instrumented_client_has_a_log_of_its_own_span() {
    assert_eq!(client_of(&once(&[HEADER], Some(&instrumented(5)), None)), of_header(1));
}

#[test]
fn a_server_is_a_remote_child_of_the_header() {
    let server = server_of(&once(&[HEADER], None, Some(&plain(5))));
    assert_eq!((server.trace_id, server.parent_span_id), (T, S));
    assert_eq!((server.has_span, server.remote_parent), (true, true));
}

#[test]
fn an_instrumented_server_has_a_log_of_the_headers_span() {
    assert_eq!(server_of(&once(&[HEADER], None, Some(&instrumented(5)))), of_header(1));
}

#[test]
fn a_server_is_a_child_of_the_client_on_the_same_host() {
    let seen = once(&[HEADER], Some(&plain(5)), Some(&plain(6)));
    let (client, server) = (client_of(&seen), server_of(&seen));
    assert_eq!((client.trace_id, client.parent_span_id), (T, S));
    assert_eq!((server.trace_id, server.parent_span_id), (T, client.span_id));
    assert!(!server.remote_parent);
    assert_ne!(server.span_id, client.span_id);
}

#[test]
fn a_server_is_a_child_of_the_header_where_the_client_is_instrumented() {
    let seen = once(&[HEADER], Some(&instrumented(5)), Some(&plain(6)));
    assert_eq!(client_of(&seen), of_header(1));
    assert_eq!((server_of(&seen).parent_span_id, server_of(&seen).has_span), (S, true));
}

#[test]
fn a_client_has_a_span_where_only_the_server_is_instrumented() {
    let seen = once(&[HEADER], Some(&plain(5)), Some(&instrumented(6)));
    assert_eq!((client_of(&seen).parent_span_id, client_of(&seen).has_span), (S, true));
    assert_eq!(server_of(&seen), of_header(1));
}

#[test]
fn without_a_header_the_client_is_the_root_and_the_server_its_child() {
    let seen = once(&[], Some(&plain(5)), Some(&plain(6)));
    let (client, server) = (client_of(&seen), server_of(&seen));
    assert_ne!(client.trace_id, [0; 16]);
    assert_eq!((client.parent_span_id, client.has_span, client.flags), (NONE, true, 1));
    assert_eq!((server.trace_id, server.parent_span_id), (client.trace_id, client.span_id));
    assert!(!server.remote_parent);
}

#[test]
fn without_a_header_a_lone_server_is_a_root() {
    let server = server_of(&once(&[], None, Some(&plain(6))));
    assert_eq!((server.parent_span_id, server.has_span, server.remote_parent), (NONE, true, false));
}

#[test]
fn without_a_header_an_instrumented_process_has_no_span_of_ours() {
    let seen = once(&[], Some(&instrumented(5)), Some(&plain(6)));
    assert_eq!(client_of(&seen), SpanContext::default());
    assert_eq!((server_of(&seen).parent_span_id, server_of(&seen).has_span), (NONE, true));
    assert_eq!(server_of(&once(&[], None, Some(&instrumented(5)))), SpanContext::default());
}

#[test]
fn an_invalid_header_and_two_of_them_are_none() {
    let second = HEADER.replace("4bf9", "5bf9");
    let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    for lines in [&[HEADER, second.as_str()][..], &["00-xyz"], &[zero]] {
        let seen = once(lines, Some(&plain(5)), Some(&plain(6)));
        assert_eq!(client_of(&seen).parent_span_id, NONE, "{lines:?}");
        assert_ne!(client_of(&seen).trace_id, T, "{lines:?}");
        assert_eq!(seen.trace.duplicate, lines.len() == 2, "{lines:?}");
    }
}

#[test]
fn an_unsampled_header_makes_no_span() {
    let seen = once(&[UNSAMPLED], Some(&plain(5)), Some(&plain(6)));
    assert_eq!(client_of(&seen), of_header(0));
    assert_eq!(server_of(&seen), of_header(0));
}

#[test]
fn an_observer_has_the_headers_context_or_none() {
    assert_eq!(Tracer::observer(&once(&[HEADER], None, None).trace), of_header(1));
    assert_eq!(Tracer::observer(&once(&[], None, None).trace), SpanContext::default());
}

#[test]
fn an_exchange_has_the_same_ids_whenever_they_are_derived() {
    for lines in [&[HEADER][..], &[]] {
        let first = once(lines, Some(&plain(5)), Some(&plain(6)));
        let again = once(lines, Some(&plain(5)), Some(&plain(6)));
        assert_eq!((first.client, first.server), (again.client, again.server));
    }
}

/// The views of one more exchange than a header may be adopted by.
fn refused(client: Option<&Process>, server: Option<&Process>) -> Seen {
    let mut tracer = Tracer::new([1; 16]);
    for index in 0..u64::from(ADOPTIONS_MAX) {
        let seen = see(&mut tracer, &request(&[HEADER]), index, client, server);
        assert!(!seen.trace.refused, "exchange {index}");
        tracer.close(&seen.trace, server);
    }
    see(&mut tracer, &request(&[HEADER]), u64::from(ADOPTIONS_MAX), client, server)
}

const LINK: Option<SpanLink> = Some(SpanLink { trace_id: T, span_id: S });

#[test]
fn a_header_that_was_adopted_too_often_is_linked_to() {
    let seen = refused(Some(&plain(5)), Some(&plain(6)));
    let (client, server) = (client_of(&seen), server_of(&seen));
    assert_ne!(client.trace_id, T);
    assert_eq!((client.parent_span_id, client.link, client.flags), (NONE, LINK, 1));
    assert_eq!((server.trace_id, server.parent_span_id), (client.trace_id, client.span_id));
    assert_eq!((server.link, server.remote_parent), (None, false));
}

#[test]
fn a_lone_server_whose_header_was_adopted_too_often_is_a_root_with_a_link() {
    let server = server_of(&refused(None, Some(&plain(6))));
    assert_ne!(server.trace_id, T);
    assert_eq!((server.parent_span_id, server.link, server.remote_parent), (NONE, LINK, false));
}

#[test]
fn an_instrumented_end_keeps_its_own_span_whatever_was_adopted() {
    let seen = refused(Some(&instrumented(5)), Some(&plain(6)));
    assert_eq!(client_of(&seen), of_header(1));
    assert_eq!((server_of(&seen).parent_span_id, server_of(&seen).link), (NONE, LINK));
}

#[test]
fn what_is_forwarded_from_a_refused_request_is_in_its_trace() {
    let mut tracer = Tracer::new([1; 16]);
    for index in 0..=u64::from(ADOPTIONS_MAX) {
        see(&mut tracer, &request(&[HEADER]), index, None, Some(&plain(5)));
    }
    let inbound = see(&mut tracer, &request(&[HEADER]), 99, None, Some(&plain(5)));
    let outbound = see(&mut tracer, &request(&[HEADER]), 100, Some(&plain(5)), Some(&plain(6)));
    let (x, client, server) = (server_of(&inbound), client_of(&outbound), server_of(&outbound));
    assert_eq!((client.trace_id, client.parent_span_id), (x.trace_id, x.span_id));
    assert_eq!((server.trace_id, server.parent_span_id), (x.trace_id, client.span_id));
    assert_eq!((x.link, client.link, server.link), (LINK, None, None));
}

#[test]
fn a_header_is_adopted_for_five_minutes() {
    let mut tracer = Tracer::new([1; 16]);
    let mut adopted_at = |after_ns: u64, index: u64| {
        let request = request_at(Timestamp(1 + after_ns), &[HEADER]);
        !see(&mut tracer, &request, index, None, Some(&plain(5))).trace.refused
    };
    assert!(adopted_at(0, 0));
    assert!(adopted_at(ADOPTION_MAX_NS, 1));
    assert!(!adopted_at(ADOPTION_MAX_NS + 1, 2));
}

#[test]
fn what_makes_no_span_adopts_nothing() {
    let mut tracer = Tracer::new([1; 16]);
    for index in 0..1000 {
        see(&mut tracer, &request(&[HEADER]), index, Some(&instrumented(5)), None);
        see(&mut tracer, &request(&[HEADER]), index, None, None);
        see(&mut tracer, &request(&[UNSAMPLED]), index, Some(&plain(5)), None);
    }
    assert!(!see(&mut tracer, &request(&[HEADER]), 0, Some(&plain(5)), None).trace.refused);
}

#[test]
fn the_tables_of_headers_are_bounded() {
    let mut tracer = Tracer::new([1; 16]);
    for number in 0..40_000_u64 {
        let header = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016x}-01", number + 1);
        let again = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016x}-01", 1);
        for line in [&header, &again] {
            let server = plain(5);
            let seen = see(&mut tracer, &request(&[line]), number, None, Some(&server));
            if number % 2 == 0 {
                tracer.close(&seen.trace, Some(&server));
            }
        }
        assert!(tracer.adopted.entries.len() <= ADOPTED_MAX);
        assert!(tracer.adopted.order.len() <= 2 * ADOPTED_MAX + 1);
        assert!(tracer.inbound.entries.len() <= INBOUND_MAX);
        assert!(tracer.inbound.order.len() <= 2 * INBOUND_MAX + 1);
    }
}
