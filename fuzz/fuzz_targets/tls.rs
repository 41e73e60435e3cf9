//! TLS hellos under any split and any gap.
//!
//! An input is a mode byte, the number of cuts, the cuts (16 bits each) and the bytes of one
//! direction. Checked: a split changes nothing but times; no name is read that was not in the
//! input, nor more numbers than fit in it; what is kept stays below its bound.

#![no_main]

use headertap::flow::Timestamp;
use headertap::parse::Parsed;
use headertap::parse::tls::{HELLO_MAX_BYTES, Part, Stream, side_of};
use headertap::tls::{ClientHello, Timing};
use libfuzzer_sys::fuzz_target;

struct Input<'a> {
    joined: bool,
    gap: bool,
    cuts: Vec<usize>,
    bytes: &'a [u8],
}

fn input(data: &[u8]) -> Option<Input<'_>> {
    let [mode, count, rest @ ..] = data else { return None };
    let (cuts, bytes) = rest.split_at_checked(2 * usize::from(count % 8))?;
    let place = |pair: &[u8]| usize::from(pair[0]) << 8 | usize::from(pair[1]);
    let mut cuts: Vec<_> = cuts
        .chunks(2)
        .map(|pair| place(pair) % (bytes.len() + 1))
        .chain([0, bytes.len()])
        .collect();
    cuts.sort_unstable();
    Some(Input { joined: mode & 1 != 0, gap: mode & 2 != 0, cuts, bytes })
}

impl<'a> Input<'a> {
    fn pieces(&self) -> Vec<&'a [u8]> {
        self.cuts.windows(2).map(|pair| &self.bytes[pair[0]..pair[1]]).collect()
    }

    fn stream(&self) -> Stream {
        if self.joined { Stream::joined() } else { Stream::new() }
    }

    fn read_all(&self, pieces: &[&[u8]]) -> (Vec<Part>, bool) {
        let (mut stream, mut parts) = (self.stream(), Vec::new());
        let tls = pieces.iter().all(|piece| read(&mut stream, piece, &mut parts));
        (parts, tls)
    }

    /// The second piece is lost.
    fn check_gap(&self) {
        let pieces = self.pieces();
        let [before, lost @ [_, ..], ..] = pieces.as_slice() else { return };
        let (mut stream, mut parts) = (self.stream(), Vec::new());
        if !read(&mut stream, before, &mut parts) {
            return;
        }
        stream.gap(lost.len() as u64);
        assert!(!stream.in_hello() && stream.buffered() == 0);
        for piece in &pieces[2..] {
            read(&mut stream, piece, &mut parts);
        }
        for part in &parts {
            if let Part::ClientHello(hello) = part {
                self.check(hello);
            }
        }
    }

    fn check(&self, hello: &ClientHello) {
        let name = hello.server_name.as_ref().map_or(0, Vec::len);
        let protocols = hello.alpn.iter().map(Vec::len).sum::<usize>();
        let numbers = hello.cipher_suites.len() + hello.extensions.len();
        assert!(name + protocols + 2 * numbers <= self.bytes.len());
        assert_eq!(hello.ja4.is_none(), hello.is_malformed);
        assert!(hello.ja4.as_ref().is_none_or(|ja4| ja4.len() == 36));
    }
}

/// Reads one piece to its end; false once the stream is not TLS. Times are left out.
fn read(stream: &mut Stream, mut piece: &[u8], parts: &mut Vec<Part>) -> bool {
    loop {
        assert!(stream.buffered() <= HELLO_MAX_BYTES);
        match stream.read(&mut piece, Timestamp(0)) {
            Parsed::NeedMore => {
                assert!(piece.is_empty(), "bytes are left");
                return true;
            }
            Parsed::NotThisProtocol => return false,
            Parsed::Message(mut part) => {
                match &mut part {
                    Part::ClientHello(hello) => hello.timing = Timing::default(),
                    Part::ServerHello(hello) => hello.timing = Timing::default(),
                    Part::Alert(..) | Part::Malformed | Part::Past => {}
                }
                parts.push(part);
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = input(data) else { return };
    let _side = side_of(input.bytes);
    let (whole, tls) = input.read_all(&[input.bytes]);
    for part in &whole {
        if let Part::ClientHello(hello) = part {
            input.check(hello);
        }
    }
    if input.gap {
        input.check_gap();
    } else if !input.joined {
        assert_eq!((whole, tls), input.read_all(&input.pieces()));
    } else {
        input.read_all(&input.pieces());
    }
});
