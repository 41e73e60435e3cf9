//! No cut of segments, and none of records, changes what is read.

use proptest::prelude::*;

use super::written::u16s;
use super::*;

const ALL: [&[u8]; 9] = [
    TLS13_CLIENT,
    TLS13_SERVER,
    TLS12_CLIENT,
    TLS12_SERVER,
    RETRY_CLIENT,
    RETRY_SERVER,
    ALERT_SERVER,
    RESUMED13_CLIENT,
    TICKET12_CLIENT,
];

/// Parts without their times, which are the only thing a split may change.
fn timeless(mut parts: Vec<Part>) -> Vec<Part> {
    for part in &mut parts {
        match part {
            Part::ClientHello(hello) => hello.timing = Timing::default(),
            Part::ServerHello(hello) => hello.timing = Timing::default(),
            Part::Alert(..) | Part::Malformed | Part::Past => {}
        }
    }
    parts
}

#[test]
fn every_prefix_gives_a_prefix_of_the_parts() {
    for bytes in ALL {
        let whole = parts(bytes);
        for cut in 0..bytes.len() {
            let (part, tls) = read_all(&mut Stream::new(), &[&bytes[..cut]]);
            assert!(tls && whole.starts_with(&part), "cut at {cut}: {:?}", short(&part));
        }
    }
}

#[test]
fn every_split_in_two_and_byte_by_byte_give_the_same_parts() {
    for bytes in ALL {
        let whole = timeless(parts(bytes));
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            let (split, _) = read_all(&mut Stream::new(), &[first, second]);
            assert_eq!(timeless(split), whole, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let (split, _) = read_all(&mut Stream::new(), &single);
        assert_eq!(timeless(split), whole, "byte by byte");
    }
}

#[test]
fn a_hello_has_the_times_of_its_first_and_its_last_byte() {
    let (start, rest) = TLS13_CLIENT.split_at(100);
    let (middle, end) = rest.split_at(100);
    let (parts, _) = read_all(&mut Stream::new(), &[start, middle, end]);
    let Some(Part::ClientHello(hello)) = parts.first() else { panic!("no hello: {parts:?}") };
    let (first_byte, complete) = (Timestamp(0), Timestamp(2));
    assert_eq!(hello.timing, Timing { first_byte, complete });
}

#[test]
fn records_of_any_size_give_the_same_hellos() {
    let messages =
        &TLS13_CLIENT[5..5 + usize::from(TLS13_CLIENT[3]) * 256 + usize::from(TLS13_CLIENT[4])];
    let twice = messages.repeat(2);
    let whole = timeless(parts(&records(&twice, usize::MAX)));
    assert_eq!(whole.len(), 2);
    for size in 1..twice.len() {
        assert_eq!(timeless(parts(&records(&twice, size))), whole, "records of {size} bytes");
    }
}

#[test]
fn a_gap_in_a_hello_loses_it_and_the_next_one_is_read() {
    for cut in 1..TLS13_CLIENT.len() {
        let mut stream = Stream::new();
        let (before, _) = read_all(&mut stream, &[&TLS13_CLIENT[..cut]]);
        let cuts_hello = before.is_empty();
        let gap = stream.gap(100);
        assert_eq!(gap, if cuts_hello { Gap::CutHello } else { Gap::Between }, "cut at {cut}");
        let (after, _) = read_all(&mut stream, &[b"in the middle of it", TLS12_CLIENT]);
        match short(&before).last().map(String::as_str) {
            Some("past") => assert!(after.is_empty(), "cut at {cut}"),
            _ => assert_eq!(timeless(after), timeless(parts(TLS12_CLIENT)), "cut at {cut}"),
        }
    }
}

#[test]
fn a_stream_that_was_joined_looks_for_a_hello_at_the_start_of_a_chunk() {
    let (parts, _) = read_all(&mut Stream::joined(), &[b"\x05\x00\x17", RETRY_SERVER]);
    assert_eq!(short(&parts), ["retry", "server 1302", "past"]);
    for past in [&[23, 3, 3, 0, 9, 1][..], &[20, 3, 3, 0, 1, 1], &[22, 3, 3, 0, 40, 16, 0, 0, 33]] {
        let (parts, _) = read_all(&mut Stream::joined(), &[b"hello", past, TLS13_CLIENT]);
        assert_eq!(short(&parts), ["past"], "{past:?}");
    }
    assert!(is_application_data(&[23, 3, 3, 0, 9, 1]) && !is_application_data(TLS13_CLIENT));
    let nothing = vec![b"nothing".as_slice(); 20];
    assert_eq!(short(&read_all(&mut Stream::joined(), &nothing).0), ["past"]);
}

fn hello() -> impl Strategy<Value = Hello> {
    let groups = prop::collection::vec(any::<u16>(), 0..20).prop_map(|list| (10, u16s(&list)));
    let other = (100_u16..200, prop::collection::vec(any::<u8>(), 0..3000));
    let extensions = prop::collection::vec(prop_oneof![groups, other], 0..8);
    let suites = prop::collection::vec(any::<u16>(), 0..300);
    let versions = 0x0300_u16..0x0304;
    (versions, suites, extensions).prop_map(|(legacy_version, cipher_suites, extensions)| Hello {
        legacy_version,
        cipher_suites,
        has_extensions: true,
        extensions,
    })
}

proptest! {
    #[test]
    fn a_written_hello_is_read_back_through_any_records_and_segments(
        hello in hello(),
        record in 1_usize..5000,
        segment in 1_usize..3000,
    ) {
        let bytes = records(&handshake(1, &hello.body()), record);
        let chunks: Vec<&[u8]> = bytes.chunks(segment).collect();
        let (parts, _) = read_all(&mut Stream::new(), &chunks);
        let [Part::ClientHello(read)] = parts.as_slice() else { panic!("not one hello: {parts:?}") };
        prop_assert_eq!(&read.cipher_suites, &hello.cipher_suites);
        let kinds: Vec<u16> = hello.extensions.iter().map(|(kind, _)| *kind).collect();
        prop_assert_eq!(&read.extensions, &kinds);
        prop_assert_eq!(read.legacy_version, hello.legacy_version);
    }

    #[test]
    fn bytes_that_were_changed_are_read_alike_however_they_are_cut(
        which in 0..ALL.len(),
        changes in prop::collection::vec((0_usize..900, any::<u8>()), 1..8),
        segment in 1_usize..200,
    ) {
        let mut bytes = ALL[which].to_vec();
        for (at, byte) in changes {
            let len = bytes.len();
            bytes[at % len] = byte;
        }
        let chunks: Vec<&[u8]> = bytes.chunks(segment).collect();
        let (whole, is_tls) = read_all(&mut Stream::new(), &[&bytes]);
        let (split, is_split_tls) = read_all(&mut Stream::new(), &chunks);
        prop_assert_eq!(timeless(split), timeless(whole));
        prop_assert_eq!(is_split_tls, is_tls);
        read_all(&mut Stream::joined(), &chunks);
    }
}
