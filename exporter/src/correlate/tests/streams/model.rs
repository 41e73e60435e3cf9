//! Random conversations on many streams, with losses anywhere: every pair is right, and without a
//! loss nothing is missing.

use proptest::prelude::*;

use super::{END_STREAM, Wire, answer, ask, block, data, field, open};

/// One frame of one stream, by who sends it.
#[derive(Debug, Clone, Copy)]
enum Frame {
    Ask,
    Content,
    Trailers,
    Answer,
    AnswerContent,
    AnswerTrailers,
}

const FRAMES: [Frame; 6] = [
    Frame::Ask,
    Frame::Content,
    Frame::Trailers,
    Frame::Answer,
    Frame::AnswerContent,
    Frame::AnswerTrailers,
];

impl Frame {
    fn is_client(self) -> bool {
        matches!(self, Self::Ask | Self::Content | Self::Trailers)
    }

    fn bytes(self, stream: u32) -> Vec<u8> {
        let id = stream.to_string();
        match self {
            Self::Ask => ask(0, stream, &id),
            Self::Answer => answer(0, stream, &id),
            Self::Content | Self::AnswerContent => data(0, stream, &id),
            Self::Trailers | Self::AnswerTrailers => {
                block(END_STREAM, stream, &[&field("x-trailer", &id)])
            }
        }
    }
}

/// A segment of one frame of the stream that is chosen, and whether it is lost.
type Choice = (prop::sample::Index, bool);

/// Plays `streams` of all frames, in the order that is chosen; gives how many have ended.
fn play(wire: &mut Wire, streams: usize, choices: &[Choice], loses: bool) -> usize {
    let mut next = vec![0_usize; streams];
    let mut asked = 0;
    for (choice, lost) in choices.iter().cycle().take(streams * FRAMES.len() * 4) {
        // Streams are opened in order (RFC 9113 section 5.1.1).
        let stream = choice.index((asked + 1).min(streams));
        let Some(frame) = FRAMES.get(next[stream]).copied() else { continue };
        next[stream] += 1;
        asked = next.iter().filter(|next| **next > 0).count();
        let bytes = frame.bytes(u32::try_from(2 * stream + 1).expect("few streams"));
        if *lost && loses {
            wire.lose(frame.is_client(), bytes);
        } else if frame.is_client() {
            wire.client(bytes);
        } else {
            wire.server(bytes);
        }
    }
    wire.finish();
    next.iter().filter(|next| **next == FRAMES.len()).count()
}

proptest! {
    #[test]
    fn no_loss_pairs_what_is_not_of_one_stream(
        choices in prop::collection::vec((any::<prop::sample::Index>(), prop::bool::weighted(0.2)), 8..64),
        streams in 1..6_usize,
        loses in any::<bool>(),
    ) {
        let mut wire = open();
        let whole = play(&mut wire, streams, &choices, loses);
        let mut complete = 0;
        for exchange in wire.exchanges() {
            let id = exchange.stream_id.expect("it is of HTTP/2").to_string();
            let sections = [
                exchange.request.as_ref().map(|request| &request.fields),
                exchange.response.as_ref().map(|response| &response.fields),
                exchange.request_end.as_ref().map(|end| &end.trailers),
                exchange.response_end.as_ref().map(|end| &end.trailers),
            ];
            for section in sections.into_iter().flatten() {
                let ids = section.all("x-id").chain(section.all("x-trailer"));
                prop_assert!(ids.into_iter().all(|other| other == id.as_bytes()));
            }
            let sizes = [&exchange.request_end, &exchange.response_end].map(|end| {
                end.as_ref().and_then(|end| end.body_size)
            });
            let size = u64::try_from(id.len()).expect("it is short");
            prop_assert!(sizes.iter().flatten().all(|known| *known == size), "{sizes:?} of {size}");
            complete += usize::from(exchange.failure.is_none() && sizes == [Some(size); 2]);
        }
        if !loses {
            prop_assert!(wire.exchanges().len() <= streams, "an exchange was given twice");
            prop_assert_eq!(complete, whole, "each stream that ended is complete");
        }
    }
}
