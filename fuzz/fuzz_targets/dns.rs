//! DNS messages, whole and cut, and streams of them under any split and any gap.
//!
//! An input is a mode byte, the number of cuts, the cuts (16 bits each) and bytes: one message, or a
//! stream. Checked: what is told is no more than the header tells of, is printable and takes
//! bounded memory; what is captured of a message says what the whole says; what is DNS beyond doubt
//! is DNS; a split changes nothing; a gap invents nothing.

#![no_main]

use headertap::dns::{Extent, Message, Protocol};
use headertap::parse::dns::{Frames, Source, Unreadable, message, strict_message};
use libfuzzer_sys::fuzz_target;

/// What is kept of a message, and the room its strings may have beyond what they hold.
const COST_MAX: usize = 128 * 1024;

struct Input<'a> {
    is_stream: bool,
    is_multicast: bool,
    has_gap: bool,
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
        is_stream: mode & 1 != 0,
        is_multicast: mode & 2 != 0,
        has_gap: mode & 4 != 0,
        cuts,
        bytes,
    })
}

fn check(message: &Message) {
    assert!(message.questions.len() <= message.counts[0].into());
    assert!(message.answers.len() <= message.counts[1].into());
    assert!(message.cost() < COST_MAX, "{} bytes", message.cost());
    let asked = message.questions.iter().map(|question| &question.name);
    let answered = message.answers.iter().flat_map(|answer| [&answer.name, &answer.data]);
    for text in asked.chain(answered) {
        assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
    }
}

fn one(input: &Input<'_>) {
    let Ok(len) = u32::try_from(input.bytes.len()) else { return };
    let source = Source { len, is_multicast: input.is_multicast };
    let whole = message(input.bytes, source);
    if let Ok(whole) = &whole {
        check(whole);
        assert_ne!(whole.extent, Extent::Captured);
    }
    if let Some(strict) = strict_message(input.bytes) {
        assert_eq!(strict.extent, Extent::Whole);
        assert_eq!(Ok(strict), message(input.bytes, Source { is_multicast: false, ..source }));
    }
    for cut in &input.cuts {
        let part = message(&input.bytes[..*cut], source);
        let (Ok(part), Ok(whole)) = (&part, &whole) else { continue };
        check(part);
        assert_eq!((part.id, part.flags, part.counts), (whole.id, whole.flags, whole.counts));
        assert_eq!(part.questions, whole.questions);
        assert!(whole.answers.starts_with(&part.answers));
    }
}

fn frames(input: &Input<'_>) -> Frames {
    Frames::new(if input.is_multicast { Protocol::Mdns } else { Protocol::Dns })
}

/// What is read until the stream is taken for something else.
fn read<'a>(
    frames: &mut Frames,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Vec<Result<Message, Unreadable>> {
    let mut given = Vec::new();
    for piece in pieces {
        if !frames.read(piece, |read| given.push(read)) {
            break;
        }
    }
    given.iter().flatten().for_each(check);
    given
}

fn stream(input: &Input<'_>) {
    let pieces: Vec<_> = input.cuts.windows(2).map(|pair| &input.bytes[pair[0]..pair[1]]).collect();
    let whole = read(&mut frames(input), [input.bytes].into_iter());
    if input.has_gap && pieces.len() > 1 {
        let mut frames = frames(input);
        let mut after = read(&mut frames, [pieces[0]].into_iter());
        frames.gap(pieces[1].len() as u64);
        assert_eq!(frames.cost(), 0, "nothing is kept across a gap");
        after.extend(read(&mut frames, pieces[2..].iter().copied()));
        return;
    }
    let mut split = frames(input);
    let told = read(&mut split, pieces.iter().copied());
    assert!(split.cost() <= 4 * (2 + usize::from(u16::MAX)));
    // What is taken for something else is so after a segment: the whole is one.
    assert!(whole.starts_with(&told), "{told:?}\n{whole:?}");
    assert!(told.len() == whole.len() || told.len() >= 8);
}

fuzz_target!(|data: &[u8]| {
    let Some(input) = input(data) else { return };
    if input.is_stream { stream(&input) } else { one(&input) }
});
