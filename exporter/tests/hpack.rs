//! HPACK of connections that other encoders wrote, with what they had encoded: from the file
//! `hpack.jsonl` in the folder that HEADERTAP_VECTORS names (`make test-corpus` sets it). On each
//! line the `cases` of one connection, each with the `wire` in hexadecimal and its `headers`.

use std::path::Path;

use headertap::parse::hpack::{Decoder, Field, Malformed};
use serde_json::Value;

fn stories() -> Vec<Value> {
    let folder = std::env::var_os("HEADERTAP_VECTORS").expect("HEADERTAP_VECTORS names a folder");
    let path = Path::new(&folder).join("hpack.jsonl");
    let text = std::fs::read_to_string(&path).expect("the folder has hpack.jsonl");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// Fields as text, `?` for what is unknown.
fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let text = |part: Option<&[u8]>| part.map_or("?".into(), |p| String::from_utf8_lossy(p).into());
    let mut fields = Vec::new();
    decoder.decode(block, &mut |Field { name, value }| fields.push((text(name), text(value))))?;
    Ok(fields)
}

fn unhex(text: &str) -> Vec<u8> {
    let octet = |pair: &[u8]| {
        let pair = str::from_utf8(pair).expect("the text is ASCII");
        u8::from_str_radix(pair, 16).expect("the text is hexadecimal")
    };
    text.as_bytes().chunks(2).map(octet).collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("it is an array")
}

fn headers(case: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("it is a string").to_owned();
    array(&case["headers"]).iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

fn wire(case: &Value) -> Vec<u8> {
    unhex(case["wire"].as_str().expect("the wire is a string"))
}

#[test]
#[ignore = "HEADERTAP_VECTORS must name a folder of vectors"]
fn every_story_is_decoded_to_what_was_encoded() {
    let stories = stories();
    assert!(!stories.is_empty(), "there is a story");
    for story in &stories {
        let mut decoder = Decoder::new();
        for (nth, case) in array(&story["cases"]).iter().enumerate() {
            let fields = decode(&mut decoder, &wire(case));
            assert_eq!(fields, Ok(headers(case)), "{} case {nth}", story["path"]);
        }
    }
}

/// From wherever a story is joined, no field is wrong, and fields become known.
#[test]
#[ignore = "HEADERTAP_VECTORS must name a folder of vectors"]
fn no_story_is_decoded_wrong_from_its_middle() {
    let (mut known, mut all) = (0, 0);
    for story in &stories() {
        let cases = array(&story["cases"]);
        for start in 1..cases.len() {
            let mut decoder = Decoder::joined();
            for (nth, case) in cases.iter().enumerate().skip(start) {
                let fields = decode(&mut decoder, &wire(case)).expect("the block is HPACK");
                let expected = headers(case);
                assert_eq!(fields.len(), expected.len(), "{} case {nth}", story["path"]);
                for (field, expected) in fields.iter().zip(&expected) {
                    let name = field.0 == "?" || field.0 == expected.0;
                    let value = field.1 == "?" || field.1 == expected.1;
                    assert!(name && value, "{} from {start} case {nth}", story["path"]);
                    known += usize::from(field.0 != "?" && field.1 != "?");
                }
                all += fields.len();
            }
        }
    }
    assert!(known * 10 > all * 8, "{known} of {all} fields are known");
}
