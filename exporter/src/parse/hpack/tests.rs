//! Blocks of the RFC, and what is left of them after a loss.

mod model;

use super::{Decoder, Field, Malformed};

/// Fields as text, `?` for what is unknown.
fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let text = |part: Option<&[u8]>| part.map_or("?".into(), |p| String::from_utf8_lossy(p).into());
    let mut fields = Vec::new();
    decoder.decode(block, &mut |Field { name, value }| fields.push((text(name), text(value))))?;
    Ok(fields)
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("the text is hexadecimal");
    let octet = |pair: &[u8]| u8::try_from(digit(pair[0]) << 4 | digit(pair[1])).expect("8 bits");
    digits.chunks(2).map(octet).collect()
}

/// Decodes each block of `blocks` and compares it with its fields.
fn check(decoder: &mut Decoder, blocks: &[(&str, &[(&str, &str)])]) {
    for (block, expected) in blocks {
        let fields = decode(decoder, &unhex(block)).expect("the block is HPACK");
        let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(&fields, expected, "{block}");
    }
}

/// RFC 7541 appendix C.2.
#[test]
fn each_representation_of_the_rfc_is_decoded() {
    for (block, name, value) in [
        ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key", "custom-header"),
        ("040c2f73616d706c652f70617468", ":path", "/sample/path"),
        ("100870617373776f726406736563726574", "password", "secret"),
        ("82", ":method", "GET"),
    ] {
        check(&mut Decoder::new(), &[(block, &[(name, value)])]);
    }
}

const REQUEST_1: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
const REQUEST_2: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "www.example.com"),
    ("cache-control", "no-cache"),
];
const REQUEST_3: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/index.html"),
    (":authority", "www.example.com"),
    ("custom-key", "custom-value"),
];

/// RFC 7541 appendix C.3.
#[test]
fn the_requests_of_the_rfc_are_decoded() {
    check(
        &mut Decoder::new(),
        &[
            ("828684410f7777772e6578616d706c652e636f6d", REQUEST_1),
            ("828684be58086e6f2d6361636865", REQUEST_2),
            ("828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", REQUEST_3),
        ],
    );
}

const HUFFMAN_REQUEST_1: &str = "828684418cf1e3c2e5f23a6ba0ab90f4ff";
const HUFFMAN_REQUEST_2: &str = "828684be5886a8eb10649cbf";
const HUFFMAN_REQUEST_3: &str = "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf";

/// RFC 7541 appendix C.4.
#[test]
fn the_requests_of_the_rfc_are_decoded_in_huffman_code() {
    check(
        &mut Decoder::new(),
        &[
            (HUFFMAN_REQUEST_1, REQUEST_1),
            (HUFFMAN_REQUEST_2, REQUEST_2),
            (HUFFMAN_REQUEST_3, REQUEST_3),
        ],
    );
}

/// RFC 7541 appendix C.6, with the size update that its text leaves to the framing.
#[test]
fn the_responses_of_the_rfc_are_decoded_through_evictions() {
    let (private, location) = (("cache-control", "private"), "https://www.example.com");
    let (date, later) = ("Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:22 GMT");
    let cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
    check(
        &mut Decoder::new(),
        &[
            (
                "3fe101 488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff
                 6e919d29ad171863c78f0b97c8e9ae82ae43d3",
                &[(":status", "302"), private, ("date", date), ("location", location)],
            ),
            (
                "4883640effc1c0bf",
                &[(":status", "307"), private, ("date", date), ("location", location)],
            ),
            (
                "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2
                 e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                &[
                    (":status", "200"),
                    private,
                    ("date", later),
                    ("location", location),
                    ("content-encoding", "gzip"),
                    ("set-cookie", cookie),
                ],
            ),
        ],
    );
}

#[test]
fn who_joined_late_knows_what_was_inserted_since() {
    let unknown = ("?", "?");
    check(
        &mut Decoder::joined(),
        &[
            (
                HUFFMAN_REQUEST_2,
                &[
                    (":method", "GET"),
                    (":scheme", "http"),
                    (":path", "/"),
                    unknown,
                    ("cache-control", "no-cache"),
                ],
            ),
            (
                HUFFMAN_REQUEST_3,
                &[
                    (":method", "GET"),
                    (":scheme", "https"),
                    (":path", "/index.html"),
                    unknown,
                    ("custom-key", "custom-value"),
                ],
            ),
            // The entries of the two blocks, and a value whose name is older.
            (
                "bebf7f010161be",
                &[
                    ("custom-key", "custom-value"),
                    ("cache-control", "no-cache"),
                    ("?", "a"),
                    ("?", "a"),
                ],
            ),
        ],
    );
}

#[test]
fn a_loss_makes_every_entry_unknown() {
    let mut decoder = Decoder::new();
    decode(&mut decoder, &unhex(HUFFMAN_REQUEST_1)).expect("the block is HPACK");
    decoder.lose();
    check(&mut decoder, &[("be", &[("?", "?")])]);
}

#[test]
fn what_breaks_the_grammar_is_malformed_and_loses_the_table() {
    for wrong in [
        "80",               // index 0
        "3f",               // an integer that is not whole
        "ffffffffff7f",     // an integer that is too large
        "410a61",           // a string that is not whole
        "418118",           // Huffman code filled up with zeros
        "8220",             // a size update behind a field
        "40",               // no name
        "4001",             // no octet of the name
        "00016103",         // no octet of the value
        "1f80808080808080", // an integer without an end
    ] {
        let mut decoder = Decoder::new();
        check(&mut decoder, &[("4001610162", &[("a", "b")])]);
        assert_eq!(decode(&mut decoder, &unhex(wrong)), Err(Malformed), "{wrong}");
        check(&mut decoder, &[("be", &[("?", "?")])]);
    }
}

#[test]
fn only_whole_representations_of_a_block_are_fields() {
    let block = unhex(HUFFMAN_REQUEST_3);
    let whole = decode(&mut Decoder::joined(), &block).expect("the block is HPACK");
    for cut in 0..block.len() {
        let mut fields = Vec::new();
        let mut count = |field: Field<'_>| fields.push(field.name.map(<[u8]>::to_vec));
        let decoded = Decoder::joined().decode(&block[..cut], &mut count);
        assert!(fields.len() < whole.len(), "cut at {cut}");
        let is_between = [0, 1, 2, 3, 4].contains(&cut);
        assert_eq!(decoded.is_ok(), is_between, "cut at {cut}");
    }
}
