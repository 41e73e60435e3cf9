//! Captured Ethernet frames: of the files of a corpus, or made here.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use e2e::packets::{ACK, FIN, Packet, SYN};
use headertap::flow::Timestamp;
use pcap_parser::{Block, PcapBlockOwned, create_reader};

use super::{CLIENT, SERVER};

/// Time from one frame to the next: when they came does not matter here.
const STEP_NS: u64 = 1_000_000;
const ETHERNET: i32 = 1;
/// What a segment carries at most.
const SEGMENT_BYTES: usize = 1400;

/// Who speaks, and what.
type Turn = (bool, Vec<u8>);
const CLIENT_SAYS: bool = true;
const SERVER_SAYS: bool = false;

/// A frame as it was on the link.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) at: Timestamp,
    pub(crate) bytes: Vec<u8>,
    /// How many bytes there were; the capture may have kept less.
    pub(crate) len: usize,
}

/// The frames of one file.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) name: String,
    pub(crate) frames: Vec<Frame>,
}

/// Every file below a folder, in order.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The frames of a pcap or pcapng file, as far as it can be read; `None` if it is none, or of
/// another link type.
pub(crate) fn read(path: &Path) -> Result<Option<Capture>> {
    // The buffer takes the whole file: what is incomplete in it is cut.
    let size = usize::try_from(fs::metadata(path)?.len())? + 1024;
    let Ok(mut reader) = create_reader(size, File::open(path)?) else { return Ok(None) };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut capture = Capture { name: name.unwrap_or_default(), frames: Vec::new() };
    let mut links = Vec::new();
    let mut at = Timestamp(0);
    while let Ok((len, block)) = reader.next() {
        at.0 += STEP_NS;
        if !take(&block, &mut links, at, &mut capture.frames) {
            return Ok(None);
        }
        reader.consume(len);
    }
    Ok(Some(capture))
}

/// False for a link type that is not Ethernet.
fn take(
    block: &PcapBlockOwned<'_>,
    links: &mut Vec<i32>,
    at: Timestamp,
    frames: &mut Vec<Frame>,
) -> bool {
    let mut frame = |bytes: &[u8], caplen: u32, len: u32| {
        let bytes = &bytes[..bytes.len().min(caplen as usize)];
        frames.push(Frame { at, bytes: bytes.to_vec(), len: len as usize });
    };
    match block {
        PcapBlockOwned::LegacyHeader(header) => links.push(header.network.0),
        PcapBlockOwned::Legacy(packet) => frame(packet.data, packet.caplen, packet.origlen),
        PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
            links.push(interface.linktype.0);
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            frame(packet.data, packet.caplen, packet.origlen);
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            frame(packet.data, packet.origlen, packet.origlen);
        }
        PcapBlockOwned::NG(_) => {}
    }
    links.iter().all(|link| *link & 0xffff == ETHERNET)
}

/// A connection in each protocol, with more content than any window takes.
pub(crate) fn made() -> Vec<Capture> {
    vec![
        conversation("HTTP/1, made here", &http1()),
        conversation("HTTP/2, made here", &http2()),
        conversation("TLS, made here", &tls()),
        conversation("DNS over TCP, made here", &dns()),
    ]
}

/// What both say in turn, in segments of a size.
fn conversation(name: &str, turns: &[Turn]) -> Capture {
    let mut packet = Packet { flags: SYN, ..Packet::new(CLIENT, SERVER, b"") };
    let mut packets = vec![packet.clone()];
    packet.seq += 1;
    packets.push(Packet { flags: SYN | ACK, ..packet.answer(b"") });
    packet = Packet { flags: ACK, ack: packet.ack + 1, ..packet };
    let mut speaker = CLIENT_SAYS;
    for (next_speaker, payload) in turns {
        for payload in payload.chunks(SEGMENT_BYTES) {
            packet = match *next_speaker == speaker {
                true => packet.next(payload),
                false => packet.answer(payload),
            };
            speaker = *next_speaker;
            packets.push(packet.clone());
        }
    }
    let last = Packet { flags: FIN | ACK, ..packet.next(b"") };
    packets.extend([last.clone(), Packet { ack: last.seq + 1, ..last.answer(b"") }]);
    let at = (0..).map(|number| Timestamp(number * STEP_NS));
    let frame = |(packet, at): (Packet, Timestamp)| {
        let bytes = packet.frame();
        Frame { at, len: bytes.len(), bytes }
    };
    Capture { name: name.to_owned(), frames: packets.into_iter().zip(at).map(frame).collect() }
}

fn http1() -> Vec<Turn> {
    let head =
        |path: &str| format!("GET {path} HTTP/1.1\r\nHost: made.example\r\n\r\n").into_bytes();
    let body = |len: usize| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; len]].concat()
    };
    let chunk = [b"8000\r\n".to_vec(), vec![b'y'; 0x8000], b"\r\n".to_vec()].concat();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let end = b"0\r\nX-Trailer: 1\r\n\r\n".to_vec();
    vec![
        (CLIENT_SAYS, head("/small")),
        (SERVER_SAYS, body(10)),
        (CLIENT_SAYS, head("/large")),
        (SERVER_SAYS, body(300_000)),
        (CLIENT_SAYS, head("/chunked")),
        (SERVER_SAYS, [chunked, chunk.repeat(5), end].concat()),
        (CLIENT_SAYS, [head("/one"), head("/two")].concat()),
        (SERVER_SAYS, [body(5), body(100_000)].concat()),
    ]
}

/// A frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is small").to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags, 0, 0, 0, stream];
    [&head, payload].concat()
}

fn http2() -> Vec<Turn> {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;
    const ACKNOWLEDGED: u8 = 1;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // GET, http, "/", then an authority that is added to the table (RFC 7541 appendix A).
    let first = frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x86\x84\x41\x04made");
    // The same, with the authority from the table.
    let again = |stream| frame(HEADERS, END_STREAM | END_HEADERS, stream, b"\x82\x86\x84\xbe");
    let ok = |stream| frame(HEADERS, END_HEADERS, stream, b"\x88");
    let data = |stream, flags, len: usize| frame(DATA, flags, stream, &vec![0xaa; len]);
    let settings = frame(SETTINGS, 0, 0, &[]);
    let acknowledged = frame(SETTINGS, ACKNOWLEDGED, 0, &[]);
    let large = [data(1, 0, 16_384).repeat(20), data(1, END_STREAM, 777)].concat();
    let mixed = [ok(3), ok(5), data(3, 0, 5000), data(5, 0, 3), data(3, END_STREAM, 0)].concat();
    vec![
        (CLIENT_SAYS, [preface, settings.clone(), first].concat()),
        (SERVER_SAYS, [settings, acknowledged.clone(), ok(1), large].concat()),
        (CLIENT_SAYS, [acknowledged, again(3), again(5)].concat()),
        (SERVER_SAYS, [mixed, data(5, END_STREAM, 9000)].concat()),
    ]
}

fn tls() -> Vec<Turn> {
    let record = |kind: u8, payload: &[u8]| {
        let length = u16::try_from(payload.len()).expect("a record is small").to_be_bytes();
        [&[kind, 3, 3, length[0], length[1]], payload].concat()
    };
    let handshake = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len()).expect("a hello is small").to_be_bytes();
        record(22, &[&[kind, length[1], length[2], length[3]], body].concat())
    };
    let begin = [&[3, 3], [7_u8; 32].as_slice(), &[0]].concat();
    // Padding (RFC 7685) of 8000 bytes.
    let padding = [vec![0, 21, 0x1f, 0x40], vec![0; 8000]].concat();
    let extensions = [&[0x1f, 0x44], padding.as_slice()].concat();
    let client = [begin.as_slice(), &[0, 2, 0x13, 1, 1, 0], &extensions].concat();
    let server = [begin.as_slice(), &[0x13, 1, 0]].concat();
    let content = record(23, &[0x55; 16_000]).repeat(20);
    vec![
        (CLIENT_SAYS, handshake(1, &client)),
        (SERVER_SAYS, [handshake(2, &server), content.clone()].concat()),
        (CLIENT_SAYS, content),
    ]
}

fn dns() -> Vec<Turn> {
    let message = |flags: [u8; 2], answers: u8, rest: &[u8]| {
        let head = [0xab, 0xcd, flags[0], flags[1], 0, 1, 0, answers, 0, 0, 0, 0];
        let question = b"\x04made\x07example\x00\x00\x01\x00\x01";
        let message = [&head, question.as_slice(), rest].concat();
        let length = u16::try_from(message.len()).expect("a message is small").to_be_bytes();
        [&length, message.as_slice()].concat()
    };
    let answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01";
    vec![
        (CLIENT_SAYS, message([1, 0], 0, &[])),
        (SERVER_SAYS, message([0x81, 0x80], 200, &answer.repeat(200))),
    ]
}
