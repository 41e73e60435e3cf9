//! Losses, and connections joined in mid-stream.

use super::*;

/// Where the frames of `bytes`, behind a preface if there is one, begin.
fn starts(bytes: &[u8]) -> Vec<usize> {
    let mut at = if bytes.starts_with(PREFACE) { PREFACE.len() } else { 0 };
    let mut starts = Vec::new();
    while let Some([a, b, c, ..]) = bytes.get(at..) {
        starts.push(at);
        at += HEADER_BYTES + usize::from(*a) * 65_536 + usize::from(*b) * 256 + usize::from(*c);
    }
    starts
}

/// Whether `late` is `whole` but for what is not known of it.
fn agrees(late: &str, whole: &str) -> bool {
    let mut words = whole.split(' ').map(|word| word.trim_end_matches('.'));
    let known = late.split(' ').map(|word| word.trim_end_matches('.')).filter(|word| *word != "?");
    known.into_iter().all(|word| words.any(|other| other == word))
}

#[test]
fn behind_a_loss_frames_are_found_on_streams_in_use() {
    for (side, bytes, expected) in
        [(Side::Client, client_bytes(), CLIENT_PARTS), (Side::Server, server_bytes(), SERVER_PARTS)]
    {
        // What is no known type is not taken for frames.
        let grease = frame(0xbb, 0xff, 77, b"grease");
        let bytes = bytes.strip_suffix(grease.as_slice()).unwrap_or(&bytes);
        for start in starts(bytes) {
            let mut frames = Frames::new(side);
            let before = read_all(&mut frames, &[&bytes[..start]]).0.len();
            frames.gap(1);
            let late = short_all(&mut frames, &[&bytes[start..]]);
            if bytes[start + 3] == CONTINUATION {
                assert!(late.is_empty(), "lost before {start}: {late:?}");
                continue;
            }
            assert_eq!(late.len(), expected.len() - before, "lost before {start}: {late:?}");
            for (late, whole) in late.iter().zip(&expected[before..]) {
                assert!(agrees(late, whole), "lost before {start}: {late} is not {whole}");
            }
        }
    }
}

#[test]
fn who_joins_late_waits_for_what_tells_that_these_are_frames() {
    let mut joined = Frames::joined(Side::Server);
    let data = frame(DATA, 0, 1, b"x");
    assert_eq!(short_all(&mut joined, &[&data, &frame(HEADERS, END_HEADERS, 1, STATUS)]), [""; 0]);
    let told = frame(HEADERS, END_HEADERS, 3, OK);
    assert_eq!(short_all(&mut joined, &[&told, &data]), ["3 200 server=nginx", "1 data 1"]);
}

#[test]
fn bytes_are_ignored_until_a_chunk_starts_with_frames() {
    let get = frame(HEADERS, END_HEADERS, 5, GET);
    let mut frames = Frames::joined(Side::Client);
    let middle = [&b"middle of content "[..], &get].concat();
    assert_eq!(short_all(&mut frames, &[&middle]), [""; 0]);
    assert_eq!(
        short_all(&mut frames, &[&get, &frame(HEADERS, END_HEADERS, 7, GET_AGAIN)]),
        [
            "5 GET / :scheme=http :authority=www.example.com",
            "7 GET / :scheme=http :authority=www.example.com",
        ]
    );
}

#[test]
fn a_gap_in_content_changes_nothing() {
    let bytes = [
        frame(SETTINGS, 0, 0, b""),
        frame(HEADERS, END_HEADERS, 1, OK),
        frame(DATA, 0, 1, &[b'x'; 1000]),
        frame(HEADERS, END_HEADERS, 3, OK_AGAIN),
    ]
    .concat();
    let data = 9 + 9 + OK.len() + 9;
    for (from, to) in [(data, data + 1000), (data + 1, data + 2), (data + 500, data + 1000)] {
        let mut frames = Frames::new(Side::Server);
        assert_eq!(short_all(&mut frames, &[&bytes[..from]]), ["1 200 server=nginx"]);
        assert_eq!(frames.skippable(), Some((data + 1000 - from) as u64));
        assert_eq!(frames.gap((to - from) as u64), Gap::InData);
        let rest = short_all(&mut frames, &[b"", &bytes[to..]]);
        assert_eq!(rest, ["1 data 1000", "3 200 server=nginx"], "{from}..{to}");
    }
}

#[test]
fn behind_any_other_gap_the_table_is_unknown_until_it_is_filled_again() {
    let before = [frame(SETTINGS, 0, 0, b""), frame(HEADERS, END_HEADERS, 1, OK)].concat();
    let after = [
        frame(HEADERS, END_HEADERS, 3, OK_AGAIN),
        frame(HEADERS, END_HEADERS, 5, OK),
        frame(HEADERS, END_HEADERS, 7, OK_AGAIN),
    ]
    .concat();
    for cut in 0..before.len() {
        let mut frames = Frames::new(Side::Server);
        read_all(&mut frames, &[&before[..cut]]);
        assert_eq!(frames.gap((before.len() - cut) as u64), Gap::Cut, "cut at {cut}");
        let parts = short_all(&mut frames, &[&after]);
        assert_eq!(parts, ["3 200 ?", "5 200 server=nginx", "7 200 server=nginx"], "cut at {cut}");
    }
}

#[test]
fn a_gap_that_begins_before_or_ends_behind_content_is_a_cut() {
    let begin = [frame(SETTINGS, 0, 0, b""), frame(DATA, PADDED, 1, &[1; 9])].concat();
    for (cut, gap) in [(9 + 8, 1), (9 + 9, 1), (9 + 10, 9)] {
        let mut frames = Frames::new(Side::Server);
        read_all(&mut frames, &[&begin[..cut]]);
        assert_eq!(frames.gap(gap), Gap::Cut, "{gap} octets from {cut}");
    }
}

#[test]
fn each_side_is_known_by_its_first_head() {
    let settings = frame(SETTINGS, 1, 0, b"");
    for (head, side) in [(GET, Side::Client), (GET_AGAIN, Side::Client), (OK, Side::Server)] {
        let head = frame(HEADERS, END_HEADERS, 9, head);
        assert_eq!(side_of(&head), Parsed::Message(side));
        assert_eq!(side_of(&[&settings[..], &head].concat()), Parsed::Message(side));
        assert_eq!(side_of(&head[..10]), Parsed::Message(side), "its first field tells");
    }
    for frames in [frame(DATA, 0, 1, &[7; 100]), settings, frame(HEADERS, END_HEADERS, 9, STATUS)] {
        assert_eq!(side_of(&frames), Parsed::NeedMore, "{frames:x?}");
    }
}

#[test]
fn other_protocols_are_no_frames() {
    let fields = frame(HEADERS, END_HEADERS, 9, b"\x82\x84\x00\x01A\x01b");
    assert_eq!(side_of(&fields), Parsed::NeedMore, "no field name has capitals");
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x17\x03\x03\x00\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\0\0\x08\x04\xd2\x16\x2f",                    // PostgreSQL
        b"\0\0\0\x23\0\x03\0\0\0\0\0\x01\0\x0cconsole-1", // Kafka
        &[0; 64],
        &[0xff; 64],
        b"\0\0\x08\x06\0\0\0\0", // it is cut before it is a header
        b"",
    ] {
        assert_eq!(side_of(bytes), Parsed::NotThisProtocol, "{bytes:x?}");
    }
}

proptest! {
    /// A segment that tells a side begins with a header that is one in 2^30 of random ones.
    #[test]
    fn random_bytes_are_of_no_side(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!matches!(side_of(&bytes), Parsed::Message(_)));
    }

    #[test]
    fn no_loss_makes_a_part_wrong(
        cut in any::<prop::sample::Index>(),
        len in 1..200_usize,
        boundary in any::<bool>(),
    ) {
        for (side, bytes, expected) in [
            (Side::Client, client_bytes(), CLIENT_PARTS),
            (Side::Server, server_bytes(), SERVER_PARTS),
        ] {
            let cut = cut.index(bytes.len());
            let next = starts(&bytes).into_iter().find(|start| boundary && *start >= cut + len);
            let end = next.unwrap_or(cut + len).min(bytes.len());
            let mut frames = Frames::new(side);
            let mut parts = short_all(&mut frames, &[&bytes[..cut]]);
            frames.gap((end - cut) as u64);
            parts.extend(short_all(&mut frames, &[&bytes[end..]]));
            let mut whole = expected.iter();
            for part in &parts {
                prop_assert!(whole.any(|whole| agrees(part, whole)), "{part} in {parts:?}");
            }
        }
    }
}

#[test]
fn what_is_found_by_looking_is_given_up_at_the_first_doubt() {
    let mut frames = Frames::new(Side::Server);
    let begin = [frame(SETTINGS, 0, 0, b""), frame(HEADERS, END_HEADERS, 1, OK)].concat();
    read_all(&mut frames, &[&begin]);
    frames.gap(1);
    let bytes = [frame(DATA, 0, 1, b"x"), frame(HEADERS, END_HEADERS, 1, b"\x84")].concat();
    assert_eq!(short_all(&mut frames, &[&bytes]), ["1 data 1"], "no response has a path");
    assert_eq!(short_all(&mut frames, &[&frame(HEADERS, END_HEADERS, 1, OK)]).len(), 1);
}

#[test]
fn memory_that_is_given_back_costs_the_table_and_what_is_not_whole() {
    let begin = [frame(SETTINGS, 0, 0, b""), frame(HEADERS, END_HEADERS, 1, OK)].concat();
    let again = frame(HEADERS, END_HEADERS, 3, OK_AGAIN);
    let mut frames = Frames::new(Side::Server);
    read_all(&mut frames, &[&begin, &frame(DATA, 0, 1, b"1234")[..11]]);
    assert!(frames.cost() > 0 && !frames.in_block());
    frames.shed();
    assert_eq!(frames.cost(), 0);
    assert_eq!(short_all(&mut frames, &[b"34", &again]), ["1 data 4", "3 200 ?"]);
    read_all(&mut frames, &[&frame(HEADERS, 0, 5, OK)]);
    assert!(frames.in_block());
    frames.shed();
    assert_eq!(frames.cost(), 0);
    assert_eq!(short_all(&mut frames, &[&again]), ["3 200 ?"]);
}
