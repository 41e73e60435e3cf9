//! HTTP/2: from frame header to frame header, and past the payload of DATA.

use anyhow::Result;
use e2e::packets::{ACK, FIN, Packet, SYN};
use headertap::flow::Verdict;

use super::wire::{Attached, Sender, Wire, to_be_segmented};
use super::{COPY_WINDOW, Captured, Kernel, head, head_v6};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const HEADER_BYTES: usize = 9;
/// DATA of this size or more is not copied with what is around it (`bpf/frames.h`).
const SPLIT_MIN: usize = 1024;
/// Frames of one segment that are looked at (`bpf/frames.h`).
const FRAMES_MAX: usize = 128;

fn frame(kind: u8, len: usize) -> Vec<u8> {
    let length = u32::try_from(len).expect("a frame is small").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, 0, 0, 0, 0, 1];
    // Not one byte of a payload can be taken for a short length.
    frame.resize(HEADER_BYTES + len, 0xf0 | kind);
    frame
}

fn frames(kinds: &[(u8, usize)]) -> Vec<u8> {
    kinds.iter().flat_map(|(kind, len)| frame(*kind, *len)).collect()
}

/// What an HTTP/2 client begins with.
fn preface() -> Packet {
    let payload = [PREFACE, &frame(SETTINGS, 12), &frame(HEADERS, 40)].concat();
    Packet { payload, ..head() }
}

/// A connection whose client has begun, and its next segment.
fn begun(payload: &[u8]) -> Result<(Kernel, Packet)> {
    let kernel = Kernel::new()?;
    let next = another(&kernel, 1, payload)?;
    Ok((kernel, next))
}

/// Another such connection, from a port of its own.
fn another(kernel: &Kernel, port: u16, payload: &[u8]) -> Result<Packet> {
    let mut first = preface();
    first.source.set_port(port);
    assert_eq!(kernel.one(&first)?.payload, first.payload);
    Ok(first.next(payload))
}

/// Where pieces begin and how much of them is copied, from the sequence number `base` on.
fn pieces(captured: &[Captured], base: u32) -> Vec<(u32, u32, usize)> {
    let piece = |c: &Captured| (c.seq.wrapping_sub(base), c.len, c.payload.len());
    captured.iter().map(piece).collect()
}

#[test]
fn of_data_only_the_frame_header_is_copied() -> Result<()> {
    let stream = frames(&[(DATA, 5000), (HEADERS, 50)]);
    let (kernel, first) = begun(&stream[..1400])?;
    assert_eq!(pieces(&kernel.packet(&first)?, first.seq), [(0, 1400, 9)]);
    let second = first.next(&stream[1400..2800]);
    assert_eq!(kernel.packet(&second)?, [], "it is all payload");
    let third = second.next(&stream[2800..4200]);
    assert_eq!(kernel.packet(&third)?, []);
    let last = third.next(&stream[4200..]);
    let captured = kernel.one(&last)?;
    assert_eq!(captured.seq, first.seq + 5009, "it begins at the frame header");
    assert_eq!(captured.payload, frame(HEADERS, 50));
    Ok(())
}

/// It tells when the message ended.
#[test]
fn the_segment_that_ends_data_is_told_without_its_bytes() -> Result<()> {
    let stream = frame(DATA, 2000);
    let (kernel, first) = begun(&stream[..1000])?;
    kernel.packet(&first)?;
    let last = first.next(&stream[1000..]);
    assert_eq!(pieces(&kernel.packet(&last)?, last.seq), [(0, 1009, 0)]);
    Ok(())
}

#[test]
fn a_segment_is_sent_in_pieces_without_the_payload_of_data() -> Result<()> {
    let kinds = [(HEADERS, 30), (DATA, 1100), (DATA, SPLIT_MIN), (SETTINGS, 0), (DATA, 900)];
    let (kernel, packet) = begun(&frames(&kinds)[..3000])?;
    let captured = kernel.packet(&packet)?;
    let expected = [(0, 48 + 1100, 48), (1148, 9 + 1024, 9), (2181, 819, 18)];
    assert_eq!(pieces(&captured, packet.seq), expected);
    for piece in captured {
        let offset = (piece.seq - packet.seq) as usize;
        assert!(packet.payload[offset..].starts_with(&piece.payload));
    }
    Ok(())
}

/// All frames but DATA may be needed, and extend over several segments.
#[test]
fn a_frame_that_is_not_data_is_copied_to_its_end() -> Result<()> {
    let stream = frames(&[(DATA, 100), (HEADERS, 9000), (DATA, 5000)]);
    let (kernel, mut packet) = begun(&[])?;
    let mut copied = Vec::new();
    for segment in stream.chunks(1000) {
        packet = packet.next(segment);
        copied.extend(kernel.packet(&packet)?.into_iter().flat_map(|piece| piece.payload));
    }
    assert!(copied == stream[..109 + 9009 + 9]);
    Ok(())
}

/// What a record costs is more than to copy them.
#[test]
fn small_data_is_copied_with_what_is_around_it() -> Result<()> {
    let (kernel, packet) =
        begun(&frames(&[(DATA, 5), (HEADERS, 30), (DATA, SPLIT_MIN - 1), (DATA, 0)]))?;
    assert_eq!(kernel.one(&packet)?.payload, packet.payload);
    Ok(())
}

#[test]
fn a_frame_header_may_be_cut_anywhere() -> Result<()> {
    let stream = frames(&[(DATA, 3000), (DATA, 3000), (HEADERS, 20)]);
    let kernel = Kernel::new()?;
    for (port, present) in (1..).zip(1..HEADER_BYTES) {
        let cut = 3009 + present;
        let first = another(&kernel, port, &stream[..cut])?;
        let captured = kernel.packet(&first)?;
        assert_eq!(
            pieces(&captured, first.seq),
            [(0, 3009, 9), (3009, u32::try_from(present)?, present)]
        );
        let second = first.next(&stream[cut..cut + 1000]);
        let rest = HEADER_BYTES - present;
        assert_eq!(pieces(&kernel.packet(&second)?, second.seq), [(0, 1000, rest)], "{present}");
        let third = second.next(&stream[cut + 1000..cut + 2000]);
        assert_eq!(kernel.packet(&third)?, [], "{present}");
        let last = third.next(&stream[cut + 2000..]);
        assert_eq!(kernel.one(&last)?.payload, frame(HEADERS, 20), "{present}");
    }
    Ok(())
}

/// The octet behind the header tells how much of the payload is padding.
#[test]
fn of_padded_data_the_length_of_the_padding_is_copied_too() -> Result<()> {
    const PADDED: u8 = 8;
    let mut stream = frames(&[(DATA, 3000), (HEADERS, 20)]);
    stream[4] = PADDED;
    let kernel = Kernel::new()?;
    for (port, cut) in (1..).zip([5, 9, 10, 1000]) {
        let first = another(&kernel, port, &stream[..cut])?;
        let mut copied = kernel.bytes(&first)?;
        let second = first.next(&stream[cut..2500]);
        copied += kernel.bytes(&second)?;
        let last = second.next(&stream[2500..]);
        assert_eq!(copied, 10, "cut at {cut}");
        assert_eq!(kernel.one(&last)?.payload, frame(HEADERS, 20), "cut at {cut}");
    }
    Ok(())
}

#[test]
fn a_header_in_three_segments_is_left_to_user_space() -> Result<()> {
    let stream = frames(&[(DATA, 3000), (DATA, 9000)]);
    let (kernel, first) = begun(&stream[..3012])?;
    kernel.packet(&first)?;
    let second = first.next(&stream[3012..3015]);
    assert_eq!(kernel.bytes(&second)?, 3);
    let third = second.next(&stream[3015..4000]);
    assert_eq!(kernel.one(&third)?.payload, third.payload, "nobody knows where it is");
    kernel.verdicts.set(kernel.one(&third)?.cell, Verdict::Frames(first.seq + 3009 + 9009));
    assert_eq!(kernel.packet(&third.next(&stream[4000..5000]))?, []);
    Ok(())
}

#[test]
fn more_frames_than_are_looked_at_are_copied_whole() -> Result<()> {
    let mut payload = frame(SETTINGS, 0).repeat(FRAMES_MAX + 1);
    payload.extend(&frame(DATA, 5000)[..1000]);
    let (kernel, packet) = begun(&payload)?;
    let captured = kernel.one(&packet)?;
    assert_eq!(captured.payload, payload);
    let next = packet.next(&[0xf0; 1000]);
    assert_eq!(kernel.bytes(&next)?, 1000);
    kernel.verdicts.set(captured.cell, Verdict::Frames(next.end() + 3009));
    assert_eq!(kernel.bytes(&next.next(&[0xf0; 1000]))?, 0);
    Ok(())
}

#[test]
fn a_late_segment_takes_the_cursor_on() -> Result<()> {
    let stream = frames(&[(DATA, 1000), (DATA, 4000), (HEADERS, 20)]);
    let (kernel, first) = begun(&stream[..900])?;
    kernel.packet(&first)?;
    let second = first.next(&stream[900..2000]);
    let third = second.next(&stream[2000..3000]);
    let fourth = third.next(&stream[3000..4000]);
    assert_eq!(kernel.bytes(&third)?, 1000, "a frame header may be in it");
    assert_eq!(kernel.bytes(&second)?, 9);
    assert_eq!(kernel.bytes(&fourth)?, 0);
    let last = fourth.next(&stream[4000..]);
    assert_eq!(kernel.one(&last)?.payload, frame(HEADERS, 20));
    Ok(())
}

#[test]
fn a_retransmit_of_data_is_not_copied_and_one_of_a_header_neither() -> Result<()> {
    let stream = frames(&[(DATA, 2000), (HEADERS, 20), (DATA, 5000)]);
    let (kernel, first) = begun(&stream[..1500])?;
    kernel.packet(&first)?;
    let second = first.next(&stream[1500..3000]);
    assert_eq!(kernel.packet(&second)?.len(), 1);
    assert_eq!(kernel.packet(&first)?, []);
    assert_eq!(kernel.packet(&second)?, []);
    let overlapping =
        Packet { seq: second.seq + 700, payload: stream[2200..3500].to_vec(), ..second };
    assert_eq!(kernel.packet(&overlapping)?, []);
    Ok(())
}

#[test]
fn behind_a_hole_one_window_is_copied_and_then_nothing_until_the_other_side_talks() -> Result<()> {
    let (kernel, first) = begun(&frame(DATA, 100))?;
    kernel.one(&first)?;
    let lost = first.end();
    let behind = Packet { seq: lost + 1000, payload: vec![0xf0; 1000], ..first.clone() };
    assert_eq!(kernel.bytes(&behind)?, 1000);
    let last = Packet { seq: lost + COPY_WINDOW - 1, ..behind.clone() };
    assert_eq!(kernel.bytes(&last)?, 1000, "it begins in the window");
    let beyond = Packet { seq: lost + COPY_WINDOW, ..behind.clone() };
    assert_eq!(kernel.bytes(&beyond)?, 0);
    let answer = Packet { ack: beyond.end(), ..first.answer(&frame(SETTINGS, 0)) };
    assert_eq!(kernel.bytes(&answer)?, 9);
    assert_eq!(kernel.bytes(&beyond.next(&[0xf0; 10]))?, 10);
    Ok(())
}

#[test]
fn fin_is_on_the_last_piece_alone() -> Result<()> {
    let stream = frames(&[(HEADERS, 30), (DATA, 2000), (DATA, 9000)]);
    let (kernel, first) = begun(&stream[..3000])?;
    let captured = kernel.packet(&Packet { flags: FIN | ACK, ..first.clone() })?;
    let flags: Vec<u8> = captured.iter().map(|piece| piece.flags).collect();
    assert_eq!(flags, [ACK, FIN | ACK]);
    let last = Packet { flags: FIN | ACK, ..first.next(&stream[3000..4000]) };
    let last_piece = kernel.one(&last)?;
    assert_eq!((last_piece.len, last_piece.payload.len(), last_piece.flags), (1000, 0, FIN | ACK));
    Ok(())
}

#[test]
fn a_server_that_begins_with_settings_is_read_by_frames() -> Result<()> {
    let kernel = Kernel::new()?;
    let client = preface();
    kernel.one(&client)?;
    let server = client.answer(&frames(&[(SETTINGS, 18), (HEADERS, 90), (DATA, 9000)])[..3000]);
    assert_eq!(pieces(&kernel.packet(&server)?, server.seq), [(0, 3000, 27 + 99 + 9)]);
    assert_eq!(kernel.bytes(&server.next(&[0xf0; 1000]))?, 0);
    Ok(())
}

#[test]
fn what_only_resembles_a_preface_is_copied() -> Result<()> {
    let almost: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r";
    let cut = &PREFACE[..23];
    let kernel = Kernel::new()?;
    for (port, (start, flags)) in (1..).zip([(almost, ACK), (cut, ACK), (PREFACE, SYN | ACK)]) {
        let mut first = Packet { payload: start.to_vec(), flags, ..head() };
        first.source.set_port(port);
        kernel.one(&first)?;
        let data = Packet { flags: ACK, ..first.next(&frame(DATA, 1000)) };
        assert_eq!(kernel.bytes(&data)?, 1009, "{start:?}");
    }
    Ok(())
}

#[test]
fn only_done_or_a_later_frame_header_moves_the_cursor() -> Result<()> {
    let stream = frames(&[(DATA, 20_000)]);
    let (kernel, first) = begun(&stream[..1000])?;
    let cell = kernel.one(&first)?.cell;
    let body = first.next(&stream[1000..2000]);
    for verdict in [
        Verdict::CopyUntil(body.end() + COPY_WINDOW),
        Verdict::SkipUntil(body.seq),
        Verdict::Frames(first.seq),
        Verdict::Frames(body.seq),
    ] {
        kernel.verdicts.set(cell, verdict);
        assert_eq!(kernel.packet(&body)?, [], "{verdict:?}");
    }
    kernel.verdicts.set(cell, Verdict::Frames(first.seq + 30_000));
    let early = Packet { seq: first.seq + 25_000, ..body.clone() };
    assert_eq!(kernel.packet(&early)?, [], "the cursor has moved");
    kernel.verdicts.set(cell, Verdict::Done);
    let late = Packet { seq: first.seq + 30_000, payload: frame(HEADERS, 9), ..body };
    assert_eq!(kernel.packet(&late)?, []);
    Ok(())
}

#[test]
fn sequence_numbers_wrap_around_within_frames() -> Result<()> {
    let stream = frames(&[(DATA, 3000), (HEADERS, 50), (DATA, 2000), (HEADERS, 7)]);
    let kernel = Kernel::new()?;
    for (port, back) in (1..).zip([1, 80, 100, 1000, 3000, 3100, 3110, 3118, 3125, 5000]) {
        let mut first = Packet { seq: 0_u32.wrapping_sub(back), ..preface() };
        first.source.set_port(port);
        kernel.one(&first)?;
        let mut packet = first.next(&[]);
        let mut copied = 0;
        for segment in stream.chunks(700) {
            packet = packet.next(segment);
            copied += kernel.bytes(&packet)?;
        }
        assert_eq!(copied, 9 + 59 + 9 + 16, "{back} before 2^32");
    }
    Ok(())
}

#[test]
fn vlan_tags_and_ipv6_change_nothing() -> Result<()> {
    let stream = frames(&[(DATA, 1200), (HEADERS, 50)]);
    let tagged = Packet { vlans: vec![(0x8100, 5)], ..head() };
    for base in [tagged, head_v6()] {
        let kernel = Kernel::new()?;
        let first = Packet { payload: preface().payload, ..base };
        kernel.one(&first)?;
        let packet = first.next(&stream);
        assert_eq!(pieces(&kernel.packet(&packet)?, packet.seq), [(0, 1209, 9), (1209, 59, 59)]);
    }
    Ok(())
}

/// As a sender hands it to the interface: in page fragments, of 16 KiB frames.
#[test]
fn a_packet_of_64_kib_is_sent_in_pieces() -> Result<()> {
    Wire::with(|wire| {
        let kernel = Kernel::new()?;
        let _attached = Attached::egress(&kernel, wire.near)?;
        let sender = Sender::new(wire.near)?;
        let first = preface();
        let offload = to_be_segmented(54, 54, true);
        sender.send(&first.frame(), offload)?;
        let of_test = |captured: &Captured| captured.source == first.source.to_string();
        let taken = || -> Result<Vec<Captured>> {
            Ok(kernel.captured()?.into_iter().filter(of_test).collect())
        };
        assert_eq!(taken()?.len(), 1);
        let stream = frames(&[(DATA, 16_384); 8]);
        let packet = first.next(&stream[..60_000]);
        sender.send(&packet.frame(), offload)?;
        let each = 16_393;
        let expected =
            [(0, each, 9), (each, each, 9), (2 * each, each, 9), (3 * each, 60_000 - 3 * each, 9)];
        assert_eq!(pieces(&taken()?, packet.seq), expected);
        let second = packet.next(&stream[60_000..120_000]);
        sender.send(&second.frame(), offload)?;
        let copied: usize = taken()?.iter().map(|piece| piece.payload.len()).sum();
        assert_eq!(copied, 9 * 4);
        Ok(())
    })
}

/// The next number of a sequence that is the same in every run.
fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).expect("31 bits")
}

/// Frames of any kind and size, and which of their bytes are to be copied.
fn any_frames(state: &mut u64) -> (Vec<u8>, Vec<bool>) {
    let (mut stream, mut needed) = (Vec::new(), Vec::new());
    while stream.len() < 40_000 {
        let kind = if random(state).is_multiple_of(3) { HEADERS } else { DATA };
        let len = random(state) % [3, 200, 2000, 17_000][random(state) % 4];
        stream.extend(frame(kind, len));
        needed.resize(needed.len() + HEADER_BYTES, true);
        needed.resize(stream.len(), kind != DATA);
    }
    (stream, needed)
}

/// Marks what was captured, which must be what was sent.
fn mark(got: &mut [bool], stream: &[u8], base: u32, captured: &[Captured]) {
    for piece in captured {
        let from = piece.seq.wrapping_sub(base) as usize;
        assert!(stream[from..].starts_with(&piece.payload), "at {from}");
        got[from..from + piece.payload.len()].fill(true);
    }
}

#[test]
fn however_frames_are_cut_into_segments_all_but_data_is_copied() -> Result<()> {
    let kernel = Kernel::new()?;
    for seed in 1..9 {
        let mut state = seed.into();
        let (stream, needed) = any_frames(&mut state);
        let mut packet = another(&kernel, seed, &[])?;
        let base = packet.seq;
        let mut got = vec![false; stream.len()];
        let mut rest = stream.as_slice();
        while !rest.is_empty() {
            let len = HEADER_BYTES + random(&mut state) % 3000;
            let (segment, behind) = rest.split_at(len.min(rest.len()));
            packet = packet.next(segment);
            mark(&mut got, &stream, base, &kernel.packet(&packet)?);
            rest = behind;
        }
        let missed = needed.iter().zip(&got).position(|(needed, got)| *needed && !got);
        assert_eq!(missed, None, "seed {seed}");
        let copied = needed.iter().zip(&got).filter(|(needed, got)| !**needed && **got).count();
        let small = stream.len() / 3;
        assert!(copied < small, "seed {seed}: {copied} bytes of DATA");
    }
    Ok(())
}

#[test]
fn whatever_is_repeated_or_late_all_but_data_is_copied() -> Result<()> {
    let kernel = Kernel::new()?;
    for seed in 1..9 {
        let mut state = seed.into();
        let (stream, needed) = any_frames(&mut state);
        let first = another(&kernel, seed, &[])?;
        let mut got = vec![false; stream.len()];
        let mut from = 0;
        let mut segments = Vec::new();
        while from < stream.len() {
            let len = (1 + random(&mut state) % 3000).min(stream.len() - from);
            segments.push((from, len));
            from += len;
        }
        for _ in 0..segments.len() / 4 {
            let index = random(&mut state) % segments.len();
            let moved = (index + 1 + random(&mut state) % 4).min(segments.len() - 1);
            match random(&mut state) % 2 {
                0 => segments.swap(index, moved),
                _ => segments.insert(moved, segments[index]),
            }
        }
        for (from, len) in segments {
            let seq = first.seq.wrapping_add(u32::try_from(from)?);
            let packet =
                Packet { seq, payload: stream[from..from + len].to_vec(), ..first.clone() };
            mark(&mut got, &stream, first.seq, &kernel.packet(&packet)?);
        }
        let missed = needed.iter().zip(&got).position(|(needed, got)| *needed && !got);
        assert_eq!(missed, None, "seed {seed}");
    }
    Ok(())
}
