//! `headertap replay`: real files into the real program, its records and its account out. Needs no
//! root.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use e2e::agent::{Ended, Start};
use e2e::captures::{ETHERNET, Files, Frame, SECOND_NS, START_NS, connection, pcap, pcapng};
use e2e::wait_for;

const CLIENT: &str = "10.0.0.1:40000";
const SERVER: &str = "10.0.0.2:80";
const REQUEST: &[u8] = b"GET /first HTTP/1.1\r\nhost: shop.example\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nserver: test\r\n\r\nok";
const USB: u16 = 220;

fn exchange() -> Vec<Frame> {
    connection(CLIENT, SERVER, START_NS, &[(true, REQUEST), (false, RESPONSE)])
}

fn replay<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Ended {
    let files = files.into_iter().map(|file| file.as_ref().to_owned());
    Start::replay().json().args(files).spawn().wait()
}

/// Replays files that are all good captures.
fn replay_all<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Ended {
    let ended = replay(files);
    assert!(ended.status.success(), "{}", ended.stderr);
    ended.account().assert_closed();
    ended
}

fn paths(ended: &Ended) -> Vec<String> {
    let exchanges = ended.records.logs.iter().filter(|log| log.name == "headertap.http.exchange");
    exchanges.map(|log| log.path().unwrap_or("?").to_owned()).collect()
}

fn packets(ended: &Ended) -> (u64, u64, u64) {
    let row = ended.account().row("packets");
    (row.seen, row.exported, row.filtered)
}

#[test]
fn a_capture_gives_the_records_of_its_traffic_with_its_times() {
    let files = Files::default();
    let mut frames = exchange();
    frames.push(Frame::new(START_NS, [&[0; 12][..], &[8, 6], &[0; 46]].concat()));
    let ended = replay_all([files.write("one.pcap", &pcap(ETHERNET, &frames))]);
    ended.account().assert_lossless();
    assert_eq!(packets(&ended), (8, 7, 1));
    let [log] = ended.records.exchanges(80)[..] else { panic!("{:?}", ended.records) };
    assert_eq!(log.path(), Some("/first"));
    assert_eq!(log.status(), Some(200));
    assert_eq!(log.text("source.address"), Some("10.0.0.1"));
    assert_eq!(log.request_header("host"), Some("shop.example"));
    assert_eq!(log.resource_text("host.name"), None, "this host has no part in it");
    // The request is the fourth packet, the response the fifth.
    let time = |name: &str| log.json[name].as_str().map(str::to_owned);
    assert_eq!(time("observedTimeUnixNano"), Some((START_NS + 4_000_000).to_string()));
    assert!(time("timeUnixNano") >= Some((START_NS + 3_000_000).to_string()));
}

#[test]
fn the_form_of_the_file_makes_no_difference() {
    let files = Files::default();
    let frames = exchange();
    let numbered: Vec<_> = frames.iter().cloned().map(|frame| (1, frame)).collect();
    let expected = files.write("a.pcap", &pcap(ETHERNET, &frames));
    let pcapng = files.write("a.pcapng", &pcapng(&[101, ETHERNET], &numbered));
    let logs =
        |ended: Ended| ended.records.logs.into_iter().map(|log| log.json).collect::<Vec<_>>();
    let expected_logs = logs(replay_all([&expected]));
    assert_eq!(expected_logs.len(), 1);
    assert_eq!(logs(replay_all([&pcapng])), expected_logs);
    let stdin = Start::replay()
        .json()
        .args(["-"])
        .stdin(File::open(&expected).expect("it was written"))
        .spawn()
        .wait();
    assert_eq!(logs(stdin), expected_logs);
}

#[test]
fn two_runs_give_the_same_bytes() {
    let files = Files::default();
    let mut frames = Vec::new();
    for port in 40_000..40_200_u16 {
        let client = format!("10.0.0.1:{port}");
        // Only half of them are answered: the rest is given at the end, all at once.
        let messages = [(true, REQUEST), (false, RESPONSE)];
        let said = if port % 2 == 0 { 2 } else { 1 };
        let mut talk = connection(&client, SERVER, START_NS, &messages[..said]);
        talk.truncate(3 + said);
        frames.extend(talk);
    }
    let file = files.write("many.pcap", &pcap(ETHERNET, &frames));
    let run = |number: u8| {
        let output = files.write(&format!("{number}.json"), b"");
        let ended = Start::replay()
            .args(["--output", "otlp-json", "--output-path"])
            .args([&output, &file])
            .spawn()
            .wait();
        assert!(ended.status.success(), "{}", ended.stderr);
        std::fs::read(output).expect("it was written")
    };
    let first = run(1);
    assert!(!first.is_empty());
    assert_eq!(first, run(2));
}

#[test]
fn files_are_one_capture() {
    let files = Files::default();
    let frames = exchange();
    let halves = frames.split_at(4);
    let first = files.write("1.pcap", &pcap(ETHERNET, halves.0));
    let second = files.write("2.pcap", &pcap(ETHERNET, halves.1));
    let ended = replay_all([first, second]);
    assert_eq!(paths(&ended), ["/first"]);
    assert_eq!(ended.records.exchanges(80)[0].status(), Some(200));
}

#[test]
fn a_cut_file_is_read_to_the_cut_and_said_so() {
    let files = Files::default();
    let whole = pcap(ETHERNET, &exchange());
    // Within the last packet.
    let cut = files.write("cut.pcap", &whole[..whole.len() - 5]);
    let ended = replay_all([&cut]);
    assert_eq!(paths(&ended), ["/first"]);
    let last = whole.len() - 16 - exchange()[0].bytes.len();
    let told = format!("{} was cut within the packet at byte {last}", cut.display());
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    assert_eq!(packets(&ended).0, 6);
}

#[test]
fn what_is_no_capture_fails_and_the_others_are_read() {
    let files = Files::default();
    let bad = files.write("notes.txt", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let good = files.write("good.pcap", &pcap(ETHERNET, &exchange()));
    let absent = PathBuf::from("/nowhere/absent.pcap");
    let ended = replay([&bad, &absent, &good]);
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(paths(&ended), ["/first"]);
    for told in ["notes.txt is no pcap or pcapng capture", "/nowhere/absent.pcap cannot be read"] {
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
}

#[test]
fn a_link_type_that_is_not_read_is_named() {
    let files = Files::default();
    let usb = files.write("usb.pcap", &pcap(USB, &exchange()));
    let ended = replay([&usb]);
    assert_eq!(ended.status.code(), Some(1));
    let told = "usb.pcap has packets of link type USB_LINUX_MMAPPED (220)";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);

    let mut frames: Vec<_> = exchange().into_iter().map(|frame| (1, frame)).collect();
    frames.insert(2, (0, Frame::new(START_NS, vec![1; 64])));
    frames.push((0, Frame::new(START_NS, vec![1; 64])));
    let mixed = files.write("mixed.pcapng", &pcapng(&[USB, ETHERNET], &frames));
    let ended = replay_all([&mixed]);
    assert_eq!(paths(&ended), ["/first"]);
    assert_eq!(ended.account().row("packets").lost.get("link_type"), Some(&2));
    assert_eq!(ended.stderr.matches("USB_LINUX_MMAPPED (220)").count(), 1, "{}", ended.stderr);
}

#[test]
fn a_snap_length_costs_what_it_took_and_no_more() {
    let files = Files::default();
    let long = [&RESPONSE[..RESPONSE.len() - 4], &[b'x'; 900]].concat();
    let body = b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n";
    let response = [&body[..], &long[long.len() - 900..]].concat();
    let second = b"GET /second HTTP/1.1\r\nhost: a\r\n\r\n";
    let messages: [(bool, &[u8]); 4] =
        [(true, REQUEST), (false, &response), (true, second), (false, RESPONSE)];
    let mut frames = connection(CLIENT, SERVER, START_NS, &messages);
    for frame in &mut frames {
        frame.captured = frame.bytes.len().min(150);
    }
    let ended = replay_all([files.write("snap.pcap", &pcap(ETHERNET, &frames))]);
    assert_eq!(paths(&ended), ["/first", "/second"], "only content is missing");
    let statuses: Vec<_> = ended.records.exchanges(80).iter().map(|log| log.status()).collect();
    assert_eq!(statuses, [Some(200), Some(200)]);
    for frame in &mut frames {
        frame.captured = frame.bytes.len().min(80);
    }
    let ended = replay_all([files.write("short.pcap", &pcap(ETHERNET, &frames))]);
    for log in &ended.records.logs {
        assert_eq!(log.request_header("host"), None, "it was cut: {log:?}");
    }
    for frame in &mut frames {
        frame.captured = 40;
    }
    let ended = replay_all([files.write("tiny.pcap", &pcap(ETHERNET, &frames))]);
    let row = ended.account().row("packets");
    assert_eq!(row.lost.get("cut_short"), Some(&row.seen));
}

/// A request that nobody answers is given after five minutes of the capture's time, before what
/// comes then.
#[test]
fn timers_run_on_the_captures_time() {
    let files = Files::default();
    let mut open = connection(CLIENT, SERVER, START_NS, &[(true, REQUEST)]);
    open.truncate(4);
    let later = START_NS + 302 * SECOND_NS;
    let second = b"GET /later HTTP/1.1\r\nhost: a\r\n\r\n";
    let messages: [(bool, &[u8]); 2] = [(true, second), (false, RESPONSE)];
    let talk = connection("10.0.0.3:40001", SERVER, later, &messages);
    let frames = [open, talk].concat();
    let ended = replay_all([files.write("slow.pcap", &pcap(ETHERNET, &frames))]);
    assert_eq!(paths(&ended), ["/first", "/later"]);
    let first = &ended.records.exchanges(80)[0].json["observedTimeUnixNano"];
    assert_eq!(first.as_str(), Some(&*later.to_string()));
}

#[test]
fn a_clock_that_is_stepped_back_and_forth_ends_and_loses_nothing() {
    let files = Files::default();
    let mut frames = Vec::new();
    for port in 40_000..42_000_u16 {
        let client = format!("10.0.0.1:{port}");
        // Two clocks, decades apart, in one capture.
        let at = if port % 2 == 0 { START_NS } else { SECOND_NS };
        frames.extend(connection(&client, SERVER, at, &[(true, REQUEST), (false, RESPONSE)]));
    }
    let ended = replay_all([files.write("clocks.pcap", &pcap(ETHERNET, &frames))]);
    assert_eq!(paths(&ended).len(), 2_000);
}

#[test]
fn more_than_the_queues_hold_is_written_completely() {
    let files = Files::default();
    let mut messages: Vec<(bool, &[u8])> = Vec::new();
    for _ in 0..20_000 {
        messages.extend([(true, REQUEST), (false, RESPONSE)]);
    }
    let frames = connection(CLIENT, SERVER, START_NS, &messages);
    let ended = Start::replay()
        .json()
        .args([files.write("many.pcap", &pcap(ETHERNET, &frames))])
        .spawn()
        .wait();
    ended.account().assert_lossless();
    assert_eq!(ended.records.logs.len(), 20_000);
}

#[test]
fn the_exchanges_of_a_connection_share_its_id() {
    let files = Files::default();
    let twice = [(true, REQUEST), (false, RESPONSE), (true, REQUEST), (false, RESPONSE)];
    let mut frames = connection(CLIENT, SERVER, START_NS, &twice);
    frames.extend(connection("10.0.0.1:40001", SERVER, START_NS + SECOND_NS, &twice));
    // The same ports once more, as a new connection.
    frames.extend(connection(CLIENT, SERVER, START_NS + 10 * SECOND_NS, &twice));
    let ended = replay_all([files.write("three.pcap", &pcap(ETHERNET, &frames))]);
    let logs = &ended.records.logs;
    let ids: Vec<_> = logs.iter().map(|log| log.text("headertap.connection.id")).collect();
    assert_eq!(ids.len(), 6);
    assert!(ids[0].is_some() && ids[0] == ids[1] && ids[2] == ids[3] && ids[4] == ids[5]);
    assert!(ids[0] != ids[2] && ids[2] != ids[4] && ids[0] != ids[4], "{ids:?}");
}

/// `tcpdump -w - | headertap replay -`: what was said is written while the pipe is still open.
#[test]
fn a_pipe_is_read_as_it_comes() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let files = Files::default();
    let output = files.write("out.txt", b"");
    let agent = Start::replay()
        .args(["--output", "text", "--output-path"])
        .args([&output, Path::new("-")])
        .stdin(reader)
        .spawn();
    writer.write_all(&pcap(ETHERNET, &exchange())).expect("the pipe is open");
    wait_for("the exchange to be written", || {
        let text = std::fs::read_to_string(&output).expect("it is there");
        text.contains("/first").then_some(())
    });
    // The pipe stays open: only the signal ends it.
    let ended = agent.stop();
    ended.account().assert_lossless();
    assert!(!ended.stderr.contains("cut"), "{}", ended.stderr);
    drop(writer);
}
