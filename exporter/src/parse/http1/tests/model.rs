//! Random valid messages, written out and read back through random splits and gaps.

use super::*;

/// A message as a model knows it.
#[derive(Debug, Clone)]
struct Message {
    start: String,
    fields: Vec<(String, String)>,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    None,
    Length(Vec<u8>),
    Chunked(Vec<Vec<u8>>, Vec<(String, String)>),
}

impl Message {
    fn write(&self, to: &mut Vec<u8>) {
        let mut put = |bytes: &[u8]| to.extend_from_slice(bytes);
        put(self.start.as_bytes());
        put(b" HTTP/1.1\r\n");
        for (name, value) in self.all_fields() {
            put(format!("{name}: {value}\r\n").as_bytes());
        }
        put(b"\r\n");
        match &self.content {
            Content::None => {}
            Content::Length(bytes) => put(bytes),
            Content::Chunked(chunks, trailers) => {
                for chunk in chunks {
                    put(format!("{:x}\r\n", chunk.len()).as_bytes());
                    put(chunk);
                    put(b"\r\n");
                }
                put(b"0\r\n");
                for (name, value) in trailers {
                    put(format!("{name}:{value}\r\n").as_bytes());
                }
                put(b"\r\n");
            }
        }
    }

    fn all_fields(&self) -> Vec<(String, String)> {
        let framing = match &self.content {
            Content::None => None,
            Content::Length(bytes) => Some(("Content-Length".to_owned(), bytes.len().to_string())),
            Content::Chunked(..) => Some(("Transfer-Encoding".to_owned(), "chunked".to_owned())),
        };
        self.fields.iter().cloned().chain(framing).collect()
    }

    /// The content's size and the trailers.
    fn end(&self) -> (u64, Vec<(String, String)>) {
        let (size, trailers) = match &self.content {
            Content::None => (0, Vec::new()),
            Content::Length(bytes) => (bytes.len(), Vec::new()),
            Content::Chunked(chunks, trailers) => {
                (chunks.iter().map(Vec::len).sum(), trailers.clone())
            }
        };
        (u64::try_from(size).expect("a test's length"), trailers)
    }
}

fn fields() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("X-[A-Za-z0-9!_-]{0,12}", "([!-~]([ -~]{0,30}[!-~])?)?"), 0..8)
}

fn content() -> impl Strategy<Value = Content> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..50);
    prop_oneof![
        Just(Content::None),
        bytes().prop_map(Content::Length),
        (prop::collection::vec(bytes(), 0..4), fields())
            .prop_map(|(chunks, trailers)| Content::Chunked(chunks, trailers)),
    ]
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let message = ("[A-Z]{1,9} /[!-~]{0,20}", fields(), content())
        .prop_map(|(start, fields, content)| Message { start, fields, content });
    prop::collection::vec(message, 1..6)
}

/// `bytes` cut at the places that `cuts` name.
fn split<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn written(messages: &[Message]) -> Vec<u8> {
    let mut bytes = Vec::new();
    messages.iter().for_each(|message| message.write(&mut bytes));
    bytes
}

proptest! {
    #[test]
    fn what_was_written_is_read_back_whatever_the_split(
        messages in messages(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = written(&messages);
        let (parts, http) = read_all(&mut Stream::new(Side::Client), &split(&bytes, &cuts), &[]);
        prop_assert!(http);
        prop_assert_eq!(parts.len(), messages.len() * 2);
        for (message, read) in messages.iter().zip(parts.chunks(2)) {
            let (size, trailers) = message.end();
            prop_assert_eq!(&short(read)[0], &message.start);
            prop_assert!(matches!(&read[1], Part::End(end) if end.body_size == Some(size)));
            prop_assert_eq!(fields_of(&read[0]), message.all_fields());
            prop_assert_eq!(fields_of(&read[1]), trailers);
        }
    }

    #[test]
    fn random_bytes_are_read_alike_whatever_the_split(
        bytes in prop::collection::vec(
            prop::sample::select(b"\r\n\r\n :;,0129afGHTPUE/. chunked".to_vec()), 0..200),
        head in prop::sample::select(vec![
            "", "POST / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: ",
        ]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let bytes = [head.as_bytes(), &bytes].concat();
        let until_malformed = |chunks: &[&[u8]]| {
            let (mut parts, http) = read_all(&mut Stream::new(Side::Client), chunks, &[]);
            let malformed = parts.iter().position(|part| matches!(part, Part::Malformed(_)));
            parts.truncate(malformed.map_or(parts.len(), |at| at + 1));
            (timeless(parts), http || malformed.is_some())
        };
        prop_assert_eq!(until_malformed(&[&bytes]), until_malformed(&split(&bytes, &cuts)));
    }

    #[test]
    fn a_gap_costs_the_messages_it_touches_and_invents_none(
        messages in messages(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 2),
    ) {
        let bytes = written(&messages);
        let chunks = split(&bytes, &cuts);
        let mut stream = Stream::new(Side::Client);
        let (mut parts, _) = read_all(&mut stream, &chunks[..1], &[]);
        let complete = parts.len();
        if !chunks[1].is_empty() {
            stream.gap(u64::try_from(chunks[1].len()).expect("a test's length"));
        }
        parts.extend(read_all(&mut stream, &chunks[2..], &[]).0);
        let sent: Vec<_> = messages.iter().flat_map(Message::all_fields).collect();
        let heads = parts.iter().filter(|part| matches!(part, Part::Request(_)));
        for field in heads.clone().flat_map(fields_of) {
            prop_assert!(sent.contains(&field), "{:?} was never sent", field);
        }
        prop_assert!(heads.count() <= messages.len() && complete <= parts.len());
    }
}
