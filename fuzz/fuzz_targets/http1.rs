//! HTTP/1 under any split and any gap.
//!
//! An input is a mode byte, the number of cuts, the cuts (16 bits each) and the bytes of one
//! direction. Checked: a split changes nothing but times; nothing is read that was not in the
//! input; no content is larger than the input.

#![no_main]

use headertap::fields::Fields;
use headertap::flow::Side;
use headertap::flow::Timestamp;
use headertap::http::{HeadTiming, Oddities};
use headertap::parse::Parsed;
use headertap::parse::http1::{Part, Stream, side_of};
use libfuzzer_sys::fuzz_target;

/// The methods that responses answer, by mode.
const METHODS: [Option<&[u8]>; 4] = [None, Some(b"GET"), Some(b"HEAD"), Some(b"CONNECT")];

struct Input<'a> {
    side: Side,
    joined: bool,
    gap: bool,
    method: Option<&'a [u8]>,
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
    Some(Input {
        side: if mode & 1 == 0 { Side::Client } else { Side::Server },
        joined: mode & 2 != 0,
        gap: mode & 4 != 0,
        method: METHODS[usize::from(mode >> 3 & 3)],
        cuts,
        bytes,
    })
}

impl<'a> Input<'a> {
    fn stream(&self) -> Stream {
        if self.joined { Stream::joined(self.side) } else { Stream::new(self.side) }
    }

    fn pieces(&self) -> Vec<&'a [u8]> {
        self.cuts.windows(2).map(|pair| &self.bytes[pair[0]..pair[1]]).collect()
    }

    /// Reads one piece to its end; false once the stream is not HTTP/1.
    fn read(&self, stream: &mut Stream, mut piece: &[u8], parts: &mut Vec<Part>) -> bool {
        loop {
            assert!(stream.skippable() == 0 || !stream.in_head());
            match stream.read(&mut piece, Timestamp(0)) {
                Parsed::NeedMore => {
                    assert!(piece.is_empty(), "bytes are left");
                    return true;
                }
                Parsed::NotThisProtocol => return false,
                Parsed::Message(part) => {
                    if matches!(part, Part::Response(_)) {
                        stream.answers(self.method);
                    }
                    parts.push(part);
                }
            }
        }
    }

    /// What is read of `pieces`, up to the first malformed message: what is found after one
    /// depends on where chunks start.
    fn read_all(&self, pieces: &[&[u8]]) -> (Vec<Part>, bool) {
        let (mut stream, mut parts) = (self.stream(), Vec::new());
        let http = pieces.iter().all(|piece| self.read(&mut stream, piece, &mut parts));
        let malformed = parts.iter().position(|part| matches!(part, Part::Malformed(_)));
        parts.truncate(malformed.map_or(parts.len(), |at| at + 1));
        (parts, http || malformed.is_some())
    }

    /// The second piece is lost: every field lies whole before or whole after it.
    fn check_gap(&self) {
        let pieces = self.pieces();
        let [before, lost, ..] = pieces.as_slice() else { return };
        let after = &self.bytes[before.len() + lost.len()..];
        let (mut stream, mut parts) = (self.stream(), Vec::new());
        if !self.read(&mut stream, before, &mut parts) {
            return;
        }
        stream.gap(lost.len() as u64);
        for piece in &pieces[2..] {
            self.read(&mut stream, piece, &mut parts);
        }
        parts.extend(stream.finish(Timestamp(0)).map(Part::End));
        for part in &parts {
            self.check_part(part, before, after);
        }
    }

    fn check_part(&self, part: &Part, before: &[u8], after: &[u8]) {
        let sent =
            |bytes: &[u8]| [before, after].iter().any(|h| memchr::memmem::find(h, bytes).is_some());
        let (fields, oddities): (&Fields, Oddities) = match part {
            Part::Request(request) => {
                assert_eq!(request.timing, HeadTiming::default());
                assert!(sent(&request.method) && sent(&request.target));
                (&request.fields, request.oddities)
            }
            Part::Response(response) => (&response.fields, response.oddities),
            Part::End(end) => {
                assert!(end.body_size.is_some_and(|size| size <= self.bytes.len() as u64));
                return assert!(end.trailers.iter().all(|(name, _)| sent(name)));
            }
            Part::Malformed(_) => return,
        };
        for (name, value) in fields.iter() {
            assert!(sent(name) && (oddities.obs_fold || sent(value)), "{name:?} was never sent");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = input(data) else { return };
    let _side = side_of(input.bytes);
    if input.gap {
        input.check_gap();
    } else if !input.joined {
        assert_eq!(input.read_all(&[input.bytes]), input.read_all(&input.pieces()));
    } else {
        input.read_all(&input.pieces());
    }
});
