//! Watched applications do not notice: the same bytes, the same wake-ups, about the same time.
//!
//! Every test runs the same traffic with headertap attached and without, and looks from where the
//! applications are. With it, the account proves that it did watch that very traffic.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use e2e::agent::{Agent, Start};
use e2e::lan::Lan;
use e2e::servers::Nginx;
use e2e::traffic::{Conversation, answer, connect, get, ok};
use e2e::{PATIENCE, root_or_fail, wait_for};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::ioctl_fionread;

const TRANSFER_BYTES: usize = 200_000_000;
const TRANSFERS: usize = 3;
const BLOCKS: usize = 8;
const REQUESTS_A_BLOCK: usize = 500;
const SLOWER_AT_MOST: f64 = 1.5;
const MESSAGES: usize = 200;

/// One test at a time: a transfer would slow the requests that another test times.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    root_or_fail();
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch(lan: &Lan) -> Agent {
    Start::new(None).interfaces(lan.interface_names()).json().ready()
}

/// Ends it, and fails unless it exported so many exchanges and lost nothing.
fn assert_watched(agent: Agent, exchanges: usize) {
    let ended = agent.stop();
    ended.account().assert_lossless();
    assert_eq!(ended.account().row("http").exported, exchanges as u64, "it watched this traffic");
}

/// Calls `work` with headertap attached and without, in turns, and gives what it gave: without,
/// with. Every other turn begins with the other one, so what drifts on the host evens out.
fn in_turns<T>(
    lan: &Lan,
    turns: usize,
    exchanges: usize,
    mut work: impl FnMut() -> T,
) -> (Vec<T>, Vec<T>) {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for turn in 0..2 * turns {
        if matches!(turn % 4, 1 | 2) {
            let agent = watch(lan);
            with.push(work());
            assert_watched(agent, exchanges);
        } else {
            without.push(work());
        }
    }
    (without, with)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Bytes that look like no protocol (xorshift64, Marsaglia 2003). No two blocks of eight are the
/// same, so bytes that were lost, doubled or moved do not go unnoticed.
fn pseudo_random(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Reads to the end, and fails unless every byte is the one that was sent.
fn assert_receives(stream: &mut TcpStream, sent: &[u8]) {
    let mut buffer = vec![0; 256 * 1024];
    let mut count = 0;
    loop {
        let got = stream.read(&mut buffer).expect("the sender writes or closes");
        if got == 0 {
            break;
        }
        let expected = sent.get(count..count + got);
        assert!(expected == Some(&buffer[..got]), "other bytes than sent, at {count} or after");
        count += got;
    }
    assert_eq!(count, sent.len(), "bytes are missing at the end");
}

/// Sends everything from the server to the client and closes; gives how long that took.
fn transfer(talk: &mut Conversation, bytes: &[u8]) -> Duration {
    let began = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            talk.server.write_all(bytes).expect("the client reads");
            talk.server.shutdown(Shutdown::Write).expect("it is connected");
        });
        assert_receives(&mut talk.client, bytes);
    });
    began.elapsed()
}

fn print_throughput(what: &str, (mut without, mut with): (Vec<Duration>, Vec<Duration>)) {
    let rate = |time: Duration| TRANSFER_BYTES as f64 / 1e6 / time.as_secs_f64();
    let (without, with) = (rate(median(&mut without)), rate(median(&mut with)));
    println!("{what}: {with:.0} MB/s with, {without:.0} MB/s without: {:.2}", with / without);
}

#[test]
fn two_hundred_megabytes_of_no_protocol_arrive_as_they_were_sent() {
    let _alone = alone();
    let lan = Lan::bridged();
    let bytes = pseudo_random(TRANSFER_BYTES);
    let times = in_turns(&lan, TRANSFERS, 1, || {
        // One exchange on a connection of its own, as this traffic leaves no other trace.
        Conversation::over(&lan).exchange("attached");
        transfer(&mut Conversation::over(&lan), &bytes)
    });
    print_throughput("no protocol", times);
}

#[test]
fn an_http_body_of_two_hundred_megabytes_arrives_as_it_was_sent() {
    let _alone = alone();
    let lan = Lan::bridged();
    let bytes = pseudo_random(TRANSFER_BYTES);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {TRANSFER_BYTES}\r\n\r\n");
    let times = in_turns(&lan, TRANSFERS, 1, || {
        let mut talk = Conversation::over(&lan);
        talk.request(get("large"));
        talk.response(&head);
        transfer(&mut talk, &bytes)
    });
    print_throughput("HTTP body", times);
}

/// Asks one request after the other over one connection; gives how long each took.
fn latencies(lan: &Lan, nginx: &Nginx) -> Vec<Duration> {
    let mut stream = connect(&lan.client, &lan.server_v4(), nginx.port);
    let mut buffer = [0; 4096];
    (0..REQUESTS_A_BLOCK)
        .map(|id| {
            let request = get(&id.to_string());
            let began = Instant::now();
            stream.write_all(request.as_bytes()).expect("nginx reads");
            let mut length = 0;
            while !buffer[..length].ends_with(b"\r\n\r\nhello\n") {
                let got = stream.read(&mut buffer[length..]).expect("nginx answers");
                assert!(got > 0, "nginx closed the connection");
                length += got;
            }
            began.elapsed()
        })
        .collect()
}

#[test]
fn requests_take_less_than_half_as_long_again_while_watched() {
    let _alone = alone();
    let lan = Lan::bridged();
    let nginx = Nginx::start(&lan.server);
    let (without, with) = in_turns(&lan, BLOCKS, REQUESTS_A_BLOCK, || latencies(&lan, &nginx));
    let (without, with) = (median(&mut without.concat()), median(&mut with.concat()));
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    println!(
        "median of {} requests each: {with:?} with, {without:?} without: {ratio:.2}",
        BLOCKS * REQUESTS_A_BLOCK
    );
    assert!(ratio < SLOWER_AT_MOST, "{ratio:.2} times as long: {with:?}, not {without:?}");
}

/// Answers the request and reads the answer, so the exchange is whole.
fn assert_answered(talk: &mut Conversation, id: &str) {
    talk.server.write_all(ok(id).as_bytes()).expect("the client reads");
    let head = answer(&mut talk.client);
    assert!(head.contains(&format!("X-Request-Id: {id}\r\n")), "{head}");
}

/// Sends a request with a body of so many bytes, and asks the accepted socket what is there.
fn assert_fionread_tells(talk: &mut Conversation, body: usize) {
    let mut request = format!("POST /{body} HTTP/1.1\r\nContent-Length: {body}\r\n\r\n");
    request.extend(std::iter::repeat_n('x', body));
    talk.client.write_all(request.as_bytes()).expect("it fits the socket buffers");
    let mut there = vec![0; request.len() + 1];
    wait_for("the whole request to be there", || {
        let length = talk.server.peek(&mut there).expect("the client has written");
        (length >= request.len()).then_some(())
    });
    let unread = || ioctl_fionread(&talk.server).expect("a socket has it");
    assert_eq!(unread(), request.len() as u64, "body of {body}");
    let there = &mut there[..request.len()];
    (&talk.server).read_exact(there).expect("it is there");
    assert!(there == request.as_bytes(), "body of {body}: other bytes than sent");
    assert_eq!(unread(), 0, "body of {body}, when it is read");
    assert_answered(talk, &body.to_string());
}

#[test]
fn fionread_tells_how_many_bytes_were_sent() {
    let _alone = alone();
    let lan = Lan::bridged();
    let bodies = [0, 1, 1_000, 1_500, 9_000, 30_000];
    in_turns(&lan, 1, bodies.len(), || {
        let mut talk = Conversation::over(&lan);
        for body in bodies {
            assert_fionread_tells(&mut talk, body);
        }
    });
}

/// Level-triggered, for what can be read from one socket.
struct Readable {
    epoll: OwnedFd,
}

impl Readable {
    fn of(stream: &TcpStream) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("every Linux has it");
        epoll::add(&epoll, stream, epoll::EventData::new_u64(0), epoll::EventFlags::IN)
            .expect("a socket can be waited for");
        Self { epoll }
    }

    /// How many events there are, at the latest after `time`: none or one.
    fn events(&self, time: Duration) -> usize {
        let time = Timespec::try_from(time).expect("it is short");
        let mut events = Vec::with_capacity(1);
        epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&time)).expect("our own epoll")
    }
}

/// Sends messages one by one, each when the one before was read; gives how often epoll woke the
/// server for them.
fn wakeups(lan: &Lan) -> usize {
    let mut talk = Conversation::over(lan);
    let readable = Readable::of(&talk.server);
    let mut wakeups = 0;
    for id in 0..MESSAGES {
        let message = get(&id.to_string());
        talk.client.write_all(message.as_bytes()).expect("the server reads");
        let mut received = Vec::new();
        while received.len() < message.len() {
            assert_eq!(readable.events(PATIENCE), 1, "message {id} arrives");
            wakeups += 1;
            let mut buffer = [0; 4096];
            let got = talk.server.read(&mut buffer).expect("epoll says so");
            received.extend_from_slice(&buffer[..got]);
        }
        assert!(received == message.as_bytes(), "message {id}: other bytes than sent");
        assert_answered(&mut talk, &id.to_string());
        wakeups += readable.events(Duration::ZERO);
    }
    wakeups
}

#[test]
fn epoll_wakes_a_server_once_a_message() {
    let _alone = alone();
    let lan = Lan::bridged();
    let (without, with) = in_turns(&lan, 1, MESSAGES, || wakeups(&lan));
    println!("{MESSAGES} messages: {with:?} wake-ups with, {without:?} without");
    assert_eq!(without, [MESSAGES], "without headertap");
    assert_eq!(with, without);
}
