//! What the stages between the ring and the encoded bytes cost: processor time an item, in the best
//! of several rounds. Run by `cargo bench -p headertap`; DESIGN.md section 6 row 7 has the bound.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;

use headertap::exchange::{Dropped, Exchange, Role, SpanContext, View};
use headertap::export::Encoder;
use headertap::flow::Side;
use headertap::flow::{Endpoint, Timestamp};
use headertap::host::Host;
use headertap::http::{MessageEnd, Request, Response};
use headertap::parse::Parsed;
use headertap::parse::http1::{Part, Stream};
use headertap::policy::Policy;
use headertap::process::Process;
use rustix::time::{ClockId, clock_gettime};

/// What a browser asks: seven fields and a query.
const REQUEST: &[u8] = b"GET /api/items?page=2 HTTP/1.1\r\n\
    Host: shop.internal:8080\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Connection: keep-alive\r\n\
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n";

/// What a server answers: five fields.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: nginx/1.26.3\r\n\
    Date: Sun, 15 Jun 2025 15:06:40 GMT\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 0\r\n\
    Cache-Control: no-cache\r\n\r\n";

const TRACE_ID: [u8; 16] = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();

/// Items of a round, and rounds. The best round is the one that was disturbed least.
const ITEMS: usize = 1_000;
const ROUNDS: usize = 200;

fn main() {
    let policy = Policy::safe();
    let mut encoder = Encoder::new(&Host::read());
    let (one, both) = (exchange(&[Role::Client]), exchange(&[Role::Client, Role::Server]));

    println!("{:<44}{:>8}", "stage", "ns");
    let parse = best(|| (), |()| read_both());
    row("parse http1: request and response", parse);
    let policy = best(|| one.clone(), |exchange| policy.apply(exchange));
    row("policy: exchange of 12 fields", policy);
    let encode_one = best(|| (), |()| encode(&mut encoder, &one));
    row("encode: one end here, a log record and a span", encode_one);
    let encode_both = best(|| (), |()| encode(&mut encoder, &both));
    row("encode: both ends here, two of each", encode_both);
    row("all, one end here", parse + policy + encode_one);
    row("all, both ends here", parse + policy + encode_both);
}

fn row(stage: &str, ns: u64) {
    println!("{stage:<44}{ns:>8}");
}

/// Nanoseconds that `stage` takes an item; making the items and dropping the results is not
/// counted.
fn best<T, R>(mut item: impl FnMut() -> T, mut stage: impl FnMut(T) -> R) -> u64 {
    let mut round = || {
        let items: Vec<T> = (0..ITEMS).map(|_| item()).collect();
        let mut results = Vec::with_capacity(ITEMS);
        let start = processor_time_ns();
        results.extend(items.into_iter().map(|item| stage(black_box(item))));
        let took = processor_time_ns() - start;
        black_box(results);
        took
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default() / ITEMS as u64
}

/// What this thread has run so far, whoever else wanted the processor.
fn processor_time_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |n: i64| u64::try_from(n).expect("a thread's time only grows from 0");
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// The records' bytes; they are freed like a batch that was sent.
fn encode(encoder: &mut Encoder, exchange: &Exchange) -> usize {
    let mut bytes = 0;
    encoder.exchange(exchange, |record| bytes += black_box(record).bytes.len());
    bytes
}

fn read_both() -> (Request, MessageEnd, Response, MessageEnd) {
    let (Part::Request(request), request_end) = read(Side::Client, REQUEST) else {
        panic!("the request is one");
    };
    let (Part::Response(response), response_end) = read(Side::Server, RESPONSE) else {
        panic!("the response is one");
    };
    (request, request_end, response, response_end)
}

fn read(side: Side, mut bytes: &[u8]) -> (Part, MessageEnd) {
    let mut stream = Stream::new(side);
    let mut next = || match stream.read(&mut bytes, Timestamp(1_750_000_000_123_000_000)) {
        Parsed::Message(part) => part,
        Parsed::NeedMore | Parsed::NotThisProtocol => panic!("the message is whole"),
    };
    let (head, end) = (next(), next());
    let Part::End(end) = end else { panic!("the message has no body") };
    (head, end)
}

fn exchange(roles: &[Role]) -> Exchange {
    let (request, request_end, response, response_end) = read_both();
    Exchange {
        client: endpoint("10.0.0.5:51234"),
        server: endpoint("10.1.0.9:8080"),
        index: 3,
        stream_id: None,
        request: Some(request),
        request_end: Some(request_end),
        response: Some(response),
        response_end: Some(response_end),
        interim: Vec::new(),
        failure: None,
        duplicate_traceparent: false,
        truncated_start: false,
        observed: Timestamp(1_750_000_000_143_000_000),
        dropped: Dropped::default(),
        views: roles.iter().map(|role| view(*role)).collect(),
    }
}

fn view(role: Role) -> View {
    let process = Process {
        pid: 4242,
        service_name: "checkout".into(),
        executable_name: "checkout".into(),
        ..Process::default()
    };
    let span = SpanContext {
        trace_id: TRACE_ID,
        span_id: [1; 8],
        parent_span_id: [2; 8],
        remote_parent: true,
        flags: 1,
        has_span: true,
        ..SpanContext::default()
    };
    View {
        role,
        process: Arc::new(process),
        span,
        socket_cookie: 77,
        netns_inode: 4_026_531_840,
        connection_id: 7,
    }
}

fn endpoint(text: &str) -> Endpoint {
    text.parse::<SocketAddr>().expect("a real endpoint").into()
}
