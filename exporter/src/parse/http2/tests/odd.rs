//! What breaks the grammar, and what is at its edge.

use super::*;

fn server(frames: &[Vec<u8>]) -> Vec<String> {
    let bytes = [&[frame(SETTINGS, 0, 0, b"")], frames].concat().concat();
    short_all(&mut Frames::new(Side::Server), &[&bytes])
}

fn client(frames: &[Vec<u8>]) -> Vec<String> {
    let begin = [PREFACE.to_vec(), frame(SETTINGS, 0, 0, b"")].concat();
    short_all(&mut Frames::new(Side::Client), &[&[&[begin], frames].concat().concat()])
}

#[test]
fn what_breaks_the_framing_is_malformed() {
    let fragment = frame(HEADERS, 0, 1, OK);
    for (wrong, malformed) in [
        (vec![frame(DATA, 0, 0, b"x")], "Frames"),
        (vec![frame(DATA, PADDED, 1, b"")], "Frames"),
        (vec![frame(DATA, PADDED, 1, &[1])], "Frames"),
        (vec![frame(HEADERS, END_HEADERS, 0, OK)], "Frames"),
        (vec![frame(HEADERS, END_HEADERS | PADDED, 1, &[9, 0x88])], "Block"),
        (vec![frame(HEADERS, END_HEADERS | WITH_PRIORITY, 1, &[0; 4])], "Block"),
        (vec![frame(RST_STREAM, 0, 1, &[0; 5])], "Frames"),
        (vec![frame(SETTINGS, 0, 0, &[0; 5])], "Frames"),
        (vec![frame(PING, 0, 0, &[0; 7])], "Frames"),
        (vec![frame(GOAWAY, 0, 0, &[0; 7])], "Frames"),
        (vec![frame(CONTINUATION, END_HEADERS, 1, OK)], "Frames"),
        (vec![fragment.clone(), frame(CONTINUATION, END_HEADERS, 3, b"")], "Block"),
        (vec![fragment, frame(DATA, 0, 1, b"x")], "Block"),
    ] {
        assert_eq!(server(&wrong), [format!("malformed {malformed}")], "{wrong:x?}");
    }
    assert_eq!(client(&[frame(PUSH_PROMISE, END_HEADERS, 1, &[0; 9])]), ["malformed Frames"]);
}

#[test]
fn frames_go_on_behind_a_block_that_is_malformed_or_too_large() {
    let large = vec![0x88; 16_000];
    let mut fragments = vec![frame(HEADERS, 0, 1, &large)];
    fragments.extend((0..4).map(|_| frame(CONTINUATION, 0, 1, &large)));
    fragments.push(frame(CONTINUATION, END_HEADERS, 1, b""));
    for block in [
        vec![frame(HEADERS, END_HEADERS, 1, b"\x80")],
        vec![frame(HEADERS, END_HEADERS, 1, &vec![0x88; BLOCK_MAX_BYTES + 1])],
        fragments,
    ] {
        let behind = [frame(DATA, 0, 1, b"x"), frame(HEADERS, END_HEADERS, 3, OK_AGAIN)];
        let first = [frame(HEADERS, END_HEADERS, 5, OK)];
        assert_eq!(
            server(&[&first[..], &block, &behind].concat()),
            ["5 200 server=nginx", "malformed Block", "1 data 1", "3 200 ?"],
        );
    }
}

#[test]
fn a_block_whose_fields_are_large_when_decoded_is_cut_at_the_cap() {
    let insert = [&b"\x40\x01a\x7f\xa1\x1e"[..], &[b'x'; 4000]].concat();
    let bomb = [b"\x88".to_vec(), insert, vec![0xbe; 60_000]].concat();
    let parts = server(&[frame(HEADERS, END_HEADERS, 1, &bomb)]);
    let [part] = parts.as_slice() else { panic!("one block: {}", parts.len()) };
    assert_eq!(part.matches(" a=").count(), 16);
    assert_eq!(part.matches(" ?").count(), 60_001 - 16);
}

#[test]
fn fields_that_have_no_place_are_field_lines() {
    let parts = client(&[
        frame(HEADERS, END_HEADERS, 1, b"\x82\x83\x84\x85\x88"),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x84\x00\x01a\x01b"),
    ]);
    assert_eq!(parts, ["1 GET / :method=POST :path=/index.html :status=200", "1  / a=b."]);
    let odd = server(&[frame(HEADERS, END_HEADERS, 1, b"\x08\x03abc\x08\x0299")]);
    assert_eq!(odd, ["1   :status=abc :status=99"]);
}

#[test]
fn connect_has_its_authority_for_a_target_unless_it_has_a_path() {
    let plain = b"\x02\x07CONNECT\x01\x08host:443";
    let extended = b"\x02\x07CONNECT\x01\x04host\x84\x00\x09:protocol\x09websocket";
    assert_eq!(
        client(&[frame(HEADERS, END_HEADERS, 1, plain), frame(HEADERS, END_HEADERS, 3, extended),]),
        [
            "1 CONNECT host:443 :authority=host:443",
            "3 CONNECT / :authority=host :protocol=websocket",
        ]
    );
}

#[test]
fn pseudo_fields_in_trailers_are_not_left_out() {
    let block = frame(HEADERS, END_HEADERS, 1, b"\x88\x00\x01a\x01b");
    let bytes = [frame(SETTINGS, 0, 0, b""), block].concat();
    let (parts, _) = read_all(&mut Frames::new(Side::Server), &[&bytes]);
    let [Part::Block { block, .. }] = parts.as_slice() else { panic!("one block: {parts:?}") };
    assert_eq!(lines(&block.clone().into_trailers()), " a=b :status=200");
}
