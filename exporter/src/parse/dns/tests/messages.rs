//! Whole messages: header, names, EDNS, and every way to lie about them.

use super::{
    Extent, Message, Record, Source, Strategy, Unreadable, any, message, proptest, strict_message,
    vec,
};
use proptest::prelude::Just;

use crate::dns::samples::{RD, RESPONSE, Writer, query, response};
use crate::dns::{Edns, Question};

const WWW: &str = "www.example.com";
const HTTPS: u16 = 65;

fn read(bytes: &[u8]) -> Result<Message, Unreadable> {
    message(bytes, Source { len: u32::try_from(bytes.len()).expect("short"), is_multicast: false })
}

fn whole(bytes: &[u8]) -> Message {
    let message = read(bytes).expect("the test's message is right");
    assert_eq!(message.extent, Extent::Whole, "{message:?}");
    message
}

/// What is seen of a message of which only the first bytes were captured.
fn cut(bytes: &[u8], len: usize) -> Result<Message, Unreadable> {
    let whole = u32::try_from(bytes.len()).expect("short");
    message(&bytes[..len], Source { len: whole, is_multicast: false })
}

#[test]
fn a_query_says_what_it_asks() {
    let message = whole(&query(0x1234, WWW, HTTPS));
    let question = Question { name: WWW.into(), rtype: HTTPS, class: 1, wants_unicast: false };
    assert_eq!(message.questions, [question]);
    assert_eq!((message.id, message.flags.0, message.counts), (0x1234, RD, [1, 0, 0, 0]));
    assert_eq!((message.answers, message.edns, message.size), (vec![], None, 33));
}

#[test]
fn a_response_says_what_it_answers() {
    let message = whole(&response(7, WWW, &[[192, 0, 2, 1], [192, 0, 2, 2]]));
    let record = |data: &str| Record {
        name: WWW.into(),
        rtype: 1,
        class: 1,
        ttl: 60,
        data: data.into(),
        ..Record::default()
    };
    assert_eq!(message.answers, [record("192.0.2.1"), record("192.0.2.2")]);
    assert!(message.flags.is_response());
    assert_eq!(message.rcode(), 0);
}

#[test]
fn the_response_code_has_eight_bits_of_edns() {
    let options = [0, 15, 0, 3, 0, 18, b'x', 0, 10, 0, 0];
    let bytes = Writer::new(1, RESPONSE | 7, [1, 0, 0, 1])
        .question(WWW, 1, 1)
        .name("")
        .rest(41, 1232, 0x0100_8000, &options)
        .0;
    let message = whole(&bytes);
    assert_eq!(message.rcode(), 23);
    let edns = Edns {
        udp_size: 1232,
        extended_rcode: 1,
        version: 0,
        dnssec_ok: true,
        options: vec![15, 10],
        errors: vec![18],
    };
    assert_eq!(message.edns, Some(edns));
}

#[test]
fn a_second_opt_record_is_malformed() {
    let head = Writer::new(1, RD, [1, 0, 0, 2]).question(WWW, 1, 1);
    let bytes = head.name("").rest(41, 512, 0, &[]).name("").rest(41, 4096, 0, &[]).0;
    let message = read(&bytes).expect("what is asked can be read");
    assert_eq!(message.extent, Extent::Malformed);
    assert_eq!(message.edns.map(|edns| edns.udp_size), Some(512));
}

#[test]
fn the_top_bit_of_a_class_is_of_multicast_dns_alone() {
    let bytes = Writer::new(0, RESPONSE, [1, 1, 0, 0])
        .question("printer.local", 1, 0x8001)
        .record(1, 0x8001, 120, &[192, 0, 2, 9])
        .0;
    let read = |is_multicast| {
        let source = Source { len: u32::try_from(bytes.len()).expect("short"), is_multicast };
        let message = message(&bytes, source).expect("the test's message is right");
        let (question, answer) = (&message.questions[0], &message.answers[0]);
        (question.class, question.wants_unicast, answer.class, answer.flushes_cache)
    };
    assert_eq!(read(true), (1, true, 1, true));
    assert_eq!(read(false), (0x8001, false, 0x8001, false));
}

#[test]
fn the_root_is_a_dot() {
    assert_eq!(whole(&query(1, "", 2)).questions[0].name, ".");
}

#[test]
fn a_dot_within_a_label_is_escaped() {
    let bytes = Writer::new(1, RD, [1, 0, 0, 0]).bytes(b"\x03a.b\x01c\x00\x00\x01\x00\x01").0;
    assert_eq!(whole(&bytes).questions[0].name, "a\\.b.c");
}

/// 255 octets with the root, of four labels.
#[test]
fn the_longest_name_is_read_and_a_longer_one_is_not() {
    let (label, last) = ("a".repeat(63), "b".repeat(61));
    let longest = format!("{label}.{label}.{label}.{last}");
    assert_eq!(whole(&query(1, &longest, 1)).questions[0].name, longest);
    assert_eq!(read(&query(1, &format!("{longest}b"), 1)), Err(Unreadable::Malformed));
}

/// A pointer as the question's name, and one behind a label; the header has 12 octets.
#[test]
fn a_pointer_that_does_not_lead_back_is_malformed() {
    for (what, name) in [
        ("to itself", b"\xc0\x0c".as_slice()),
        ("to itself behind a label", b"\x01a\xc0\x0c"),
        ("forward", b"\xc0\x0e\x01a\x00"),
        ("into the header", b"\xc0\x04"),
        ("behind the end", b"\xff\xff"),
        ("of a reserved kind", b"\x40\x01a\x00"),
        ("of another reserved kind", b"\x80\x01a\x00"),
    ] {
        let bytes = Writer::new(1, RD, [1, 0, 0, 0]).bytes(name).bytes(&[0, 1, 0, 1]).0;
        assert_eq!(read(&bytes), Err(Unreadable::Malformed), "{what}");
    }
}

/// The name of the second answer points to that of the first, which points to the question.
#[test]
fn pointers_may_lead_back_in_steps() {
    let bytes = Writer::new(1, RESPONSE, [1, 2, 0, 0])
        .question("com", 1, 1)
        .bytes(b"\x03www\xc0\x0c")
        .rest(1, 1, 1, &[192, 0, 2, 1])
        .bytes(b"\x01a\xc0\x15")
        .rest(5, 1, 1, b"\x01b\xc0\x29")
        .0;
    let message = whole(&bytes);
    let names: Vec<_> = message.answers.iter().map(|a| (&*a.name, &*a.data)).collect();
    assert_eq!(names, [("www.com", "192.0.2.1"), ("a.www.com", "b.a.www.com")]);
}

#[test]
fn an_answer_that_lies_about_its_length_leaves_what_stands_before_it() {
    let mut bytes = response(1, WWW, &[[192, 0, 2, 1], [192, 0, 2, 2]]);
    let length = bytes.len() - 5;
    bytes[length] = 5;
    let message = read(&bytes).expect("what is asked can be read");
    assert_eq!(message.extent, Extent::Malformed);
    assert_eq!(message.answers.len(), 1);
    assert_eq!(strict_message(&bytes), None);
}

#[test]
fn more_records_than_there_are_bytes_is_malformed() {
    let bytes = Writer::new(1, RD, [1, 0, 0, u16::MAX]).question(WWW, 1, 1).0;
    assert_eq!(read(&bytes).map(|message| message.extent), Ok(Extent::Malformed));
    let bytes = Writer::new(1, RD, [25_528, 1, 0, 40_016]).bytes(&[0; 40]).0;
    assert_eq!(read(&bytes), Err(Unreadable::Malformed));
}

#[test]
fn answers_beyond_the_cap_are_walked_over_and_told_by_their_number() {
    let head = Writer::new(1, RESPONSE, [1, 1_000, 0, 1]).question(WWW, 1, 1);
    let many = (0..1_000).fold(head, |writer, _| writer.record(1, 1, 60, &[192, 0, 2, 1]));
    let message = whole(&many.name("").rest(41, 1232, 0, &[]).0);
    assert_eq!((message.answers.len(), message.counts[1]), (super::super::ANSWERS_MAX, 1_000));
    assert!(message.edns.is_some(), "what stands behind them is read");
}

/// Every answer's data is one label as long as can be, of octets that take four digits each.
#[test]
fn a_message_takes_little_memory_whatever_it_says() {
    let head = Writer::new(1, RESPONSE, [1, 250, 0, 0]).question(WWW, 1, 1);
    let data = [&[63][..], &[0; 63], &[63], &[0; 63], &[63], &[0; 63], &[0]].concat();
    let many = (0..250).fold(head, |writer, _| writer.record(5, 1, 60, &data)).0;
    let message = whole(&many);
    assert!(message.cost() < 2 * super::super::TEXT_MAX_BYTES, "{} bytes", message.cost());
    assert!(message.answers.len() > 10);
}

#[test]
fn bytes_of_which_only_the_first_were_captured_are_told_from_malformed_ones() {
    let bytes = response(1, WWW, &[[192, 0, 2, 1], [192, 0, 2, 2]]);
    let question_end = 12 + WWW.len() + 2 + 4;
    for len in 0..bytes.len() {
        let seen = cut(&bytes, len);
        if len < question_end {
            assert_eq!(seen, Err(Unreadable::NotCaptured), "cut at {len}");
            continue;
        }
        let seen = seen.expect("what is asked can be read");
        assert_eq!(seen.extent, Extent::Captured, "cut at {len}");
        assert_eq!(seen.answers.len(), (len - question_end) / 16, "cut at {len}");
        assert_eq!(seen.size as usize, bytes.len());
    }
}

#[test]
fn any_port_may_bring_a_message_that_is_dns_beyond_doubt() {
    let update = Writer::new(9, 0x2800, [1, 0, 1, 0])
        .question("example.com", 6, 1)
        .bytes(b"\x03new\xc0\x0c")
        .rest(1, 1, 300, &[192, 0, 2, 1])
        .0;
    for bytes in [query(1, WWW, 28), response(1, WWW, &[[192, 0, 2, 1]]), update] {
        assert_eq!(strict_message(&bytes), read(&bytes).ok(), "{bytes:?}");
        assert!(super::super::may_begin(&bytes));
    }
}

#[test]
fn what_may_be_something_else_is_no_message_of_any_port() {
    let query = query(1, WWW, 28);
    for (what, bytes) in [
        ("a byte behind", [&query[..], &[0]].concat()),
        ("a reserved opcode", [&query[..2], &[0x39], &query[3..]].concat()),
        ("the reserved bit", [&query[..3], &[0x40], &query[4..]].concat()),
        ("a query that answers", [&query[..3], &[0x83], &query[4..]].concat()),
        ("two questions", [&query[..5], &[2], &query[6..], &query[12..]].concat()),
        ("a type nobody uses", [&query[..query.len() - 4], &[0xfe, 0, 0, 1]].concat()),
        ("a class nobody uses", [&query[..query.len() - 2], &[0, 9]].concat()),
        ("text", b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".to_vec()),
        ("zeros", vec![0; 64]),
    ] {
        assert_eq!(strict_message(&bytes), None, "{what}");
    }
}

#[test]
fn a_header_alone_is_a_message_and_zeros_are_not() {
    assert!(read(&[0; 12]).is_ok());
    assert_eq!(read(&[0; 40]), Err(Unreadable::Malformed));
}

/// Messages that are right or nearly so: what is random are ids, counts, pointers and lengths.
fn nearly_a_message() -> impl Strategy<Value = Vec<u8>> {
    let part = proptest::prop_oneof![
        Just(b"\x03www\x07example\x00\x00\x01\x00\x01".to_vec()),
        Just(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01".to_vec()),
        Just(b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00".to_vec()),
        (any::<u8>(), 0_u8..80).prop_map(|(low, high)| vec![0xc0 | high & 1, low]),
        vec(any::<u8>(), 0..12),
    ];
    let counts = proptest::array::uniform4(0_u16..4);
    (any::<u16>(), any::<u16>(), counts, vec(part, 0..8)).prop_map(|(id, flags, counts, parts)| {
        Writer::new(id, flags, counts).bytes(&parts.concat()).0
    })
}

proptest! {
    /// Whatever the bytes, reading ends, and what is told is no more than the header tells of.
    #[test]
    fn every_byte_string_is_read_to_an_end(bytes in nearly_a_message(), multicast in any::<bool>()) {
        let source = Source { len: u32::try_from(bytes.len()).expect("short"), is_multicast: multicast };
        if let Ok(message) = message(&bytes, source) {
            assert!(message.questions.len() <= message.counts[0].into());
            assert!(message.answers.len() <= message.counts[1].into());
            let told = message.questions.iter().map(|q| &q.name);
            for text in told.chain(message.answers.iter().flat_map(|a| [&a.name, &a.data])) {
                assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
            }
        }
        // Strictly read, it is what it is.
        if let Some(strict) = strict_message(&bytes) {
            assert_eq!(Ok(strict), read(&bytes));
        }
    }

    /// What is captured of a message says what the whole says, as far as it goes.
    #[test]
    fn every_prefix_says_the_same_as_the_whole(bytes in nearly_a_message(), at in any::<usize>()) {
        let Ok(all) = read(&bytes) else { return Ok(()) };
        let Ok(part) = cut(&bytes, at % (bytes.len() + 1)) else { return Ok(()) };
        assert_eq!((part.id, part.flags, part.counts), (all.id, all.flags, all.counts));
        assert_eq!(&part.questions, &all.questions);
        assert!(all.answers.starts_with(&part.answers), "{part:?}");
    }
}
