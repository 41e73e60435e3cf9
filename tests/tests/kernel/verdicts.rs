//! What the verdict on a direction lets through, and what changes it.

use anyhow::Result;
use e2e::packets::{ACK, FIN, PSH, Packet, RST, SYN};
use headertap::flow::Verdict;

use super::{ANSWER, COPY_WINDOW, HEAD, HELLO_WINDOW, Kernel, PROBE_WINDOW, head, payload};

/// The first bytes of no protocol that is read.
const OTHER: &[u8] = b"SSH-2.0-OpenSSH_10.0\r\n";

fn other() -> Packet {
    Packet { payload: OTHER.to_vec(), ..head() }
}

fn at(packet: &Packet, seq: u32, payload: &[u8]) -> Packet {
    Packet { seq, payload: payload.to_vec(), ..packet.clone() }
}

#[test]
fn an_unknown_protocol_is_copied_until_the_probe_window_ends() -> Result<()> {
    let kernel = Kernel::new()?;
    let first = other();
    let end = first.seq + PROBE_WINDOW;
    assert_eq!(kernel.one(&first)?.payload, OTHER);
    assert_eq!(kernel.bytes(&at(&first, end - 1, &[0; 100]))?, 1, "it straddles the end");
    assert_eq!(kernel.bytes(&at(&first, end, &[0; 100]))?, 0, "it begins at the end");
    assert_eq!(kernel.bytes(&at(&first, end + (1 << 31), &[0; 100]))?, 0, "2 GiB later");
    Ok(())
}

#[test]
fn an_http1_head_opens_the_copy_window() -> Result<()> {
    for start in [HEAD, ANSWER, b"M-SEARCH * HTTP/1.1\r\n\r\n", b"PROPPATCH / HTTP/1.1\r\n", b"GET"]
    {
        let kernel = Kernel::new()?;
        let first = Packet { payload: start.to_vec(), ..head() };
        let end = first.seq + COPY_WINDOW;
        assert_eq!(kernel.bytes(&first)?, start.len());
        assert_eq!(kernel.bytes(&at(&first, end - 60, &[1; 100]))?, 60, "it straddles the end");
        assert_eq!(kernel.bytes(&at(&first, end, &[1; 100]))?, 0, "it begins at the end");
        assert_eq!(kernel.bytes(&at(&first, first.seq, &[1; 100]))?, 0, "closed stays closed");
    }
    Ok(())
}

/// Eight bytes are enough to tell.
#[test]
fn what_only_resembles_http1_is_probed_and_not_copied() -> Result<()> {
    for start in [&b"get / HTTP/1.1"[..], b"HTTP2.0 200 OK", b"GE / HTTP/1.1", OTHER] {
        let kernel = Kernel::new()?;
        let first = Packet { payload: start.to_vec(), ..head() };
        assert_eq!(kernel.bytes(&first)?, start.len());
        let later = at(&first, first.seq + PROBE_WINDOW, &[0; 100]);
        assert_eq!(kernel.bytes(&later)?, 0, "{}", String::from_utf8_lossy(start));
    }
    Ok(())
}

/// As many as may be between two segments of a hello (RFC 8446 section 5.1), and no more.
/// As after a body that was answered before it ended, where user space is late to say how long it
/// is.
#[test]
fn a_head_that_is_written_at_once_opens_a_closed_window() -> Result<()> {
    let kernel = Kernel::new()?;
    let first = head();
    kernel.one(&first)?;
    let body = at(&first, first.seq + COPY_WINDOW, &[b'x'; 1000]);
    assert_eq!(kernel.bytes(&body)?, 0, "the window has ended");
    let pushed = |packet: &Packet| Packet { flags: PSH | ACK, ..packet.clone() };
    assert_eq!(kernel.bytes(&pushed(&body.next(&[b'x'; 1000])))?, 0, "it is no head");
    assert_eq!(kernel.bytes(&pushed(&body.next(b"x")))?, 0, "too short to tell");
    assert_eq!(kernel.bytes(&body.next(HEAD))?, 0, "it is not all of what was written");
    let second = pushed(&body.next(HEAD));
    assert_eq!(kernel.one(&second)?.payload, HEAD);
    assert_eq!(kernel.bytes(&at(&first, second.seq + COPY_WINDOW - 1, &[1; 9]))?, 1);
    Ok(())
}

#[test]
fn a_client_hello_opens_a_window_of_20_kib() -> Result<()> {
    for version in 0..=4 {
        let kernel = Kernel::new()?;
        let hello = [0x16, 3, version, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3];
        let first = Packet { payload: hello.to_vec(), ..head() };
        let end = first.seq + HELLO_WINDOW;
        assert_eq!(kernel.bytes(&first)?, hello.len());
        assert_eq!(kernel.bytes(&at(&first, end - 60, &[0; 100]))?, 60, "it straddles the end");
        assert_eq!(kernel.bytes(&at(&first, end, &[0; 100]))?, 0, "it begins at the end");
    }
    Ok(())
}

#[test]
fn a_server_hello_or_an_old_client_hello_is_probed() -> Result<()> {
    let server: &[u8] = &[0x16, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3];
    let old: &[u8] = &[0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10];
    for start in [server, old] {
        let kernel = Kernel::new()?;
        let first = Packet { payload: start.to_vec(), ..head() };
        assert_eq!(kernel.bytes(&first)?, start.len());
        assert_eq!(kernel.bytes(&at(&first, first.seq + PROBE_WINDOW - 1, &[0; 100]))?, 1);
        assert_eq!(kernel.bytes(&at(&first, first.seq + PROBE_WINDOW, &[0; 100]))?, 0);
    }
    Ok(())
}

#[test]
fn a_dns_message_opens_the_copy_window() -> Result<()> {
    let query: &[u8] = &[0, 29, 0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let answer: &[u8] = &[0xff, 0xff, 0xab, 0xcd, 0x81, 0x80, 0, 1, 0xff, 0, 0, 0, 0, 0];
    for start in [query, answer] {
        let kernel = Kernel::new()?;
        let first = Packet { payload: start.to_vec(), ..head() };
        assert_eq!(kernel.bytes(&first)?, start.len());
        assert_eq!(kernel.bytes(&at(&first, first.seq + COPY_WINDOW - 1, &[1; 9]))?, 1);
    }
    let short: &[u8] = &[0, 12, 0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let two_questions: &[u8] = &[0, 29, 0xab, 0xcd, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    let reserved: &[u8] = &[0, 29, 0xab, 0xcd, 1, 0x40, 0, 1, 0, 0, 0, 0, 0, 0];
    for start in [short, two_questions, reserved] {
        let kernel = Kernel::new()?;
        let first = Packet { payload: start.to_vec(), ..head() };
        kernel.one(&first)?;
        assert_eq!(kernel.bytes(&at(&first, first.seq + PROBE_WINDOW, &[1; 9]))?, 0, "{start:?}");
    }
    Ok(())
}

#[test]
fn a_head_behind_other_bytes_opens_the_copy_window() -> Result<()> {
    let kernel = Kernel::new()?;
    let first = other();
    kernel.one(&first)?;
    let second = first.next(HEAD);
    assert_eq!(kernel.one(&second)?.payload, HEAD);
    assert_eq!(kernel.bytes(&at(&first, second.seq + COPY_WINDOW - 1, &[1; 9]))?, 1);
    Ok(())
}

#[test]
fn the_other_direction_opens_a_closed_one_where_it_acknowledges() -> Result<()> {
    let kernel = Kernel::new()?;
    let request = head();
    kernel.one(&request)?;
    let answer = request.answer(ANSWER);
    kernel.one(&answer)?;
    let last = at(&answer, answer.seq + COPY_WINDOW, &[1; 100]);
    assert_eq!(kernel.bytes(&last)?, 0, "the window has ended");
    let second = Packet { seq: request.end(), ack: last.end(), ..head() };
    assert_eq!(kernel.bytes(&second)?, HEAD.len());
    assert_eq!(kernel.one(&second.answer(ANSWER))?.payload, ANSWER);
    assert_eq!(kernel.bytes(&at(&answer, last.end() + COPY_WINDOW - 1, &[1; 9]))?, 1);
    Ok(())
}

/// Far beyond the window of the first message, on both sides.
#[test]
fn a_connection_that_is_kept_alive_is_copied_without_end() -> Result<()> {
    let kernel = Kernel::new()?;
    let mut request = head();
    let requests = 3 * COPY_WINDOW as usize / HEAD.len();
    for number in 0..requests {
        assert_eq!(kernel.bytes(&request)?, HEAD.len(), "request {number}");
        let answer = request.answer(ANSWER);
        assert_eq!(kernel.bytes(&answer)?, ANSWER.len(), "answer {number}");
        request = answer.answer(HEAD);
    }
    Ok(())
}

#[test]
fn a_closed_probe_is_opened_as_a_probe() -> Result<()> {
    let kernel = Kernel::new()?;
    let first = other();
    kernel.one(&first)?;
    let last = at(&first, first.seq + PROBE_WINDOW, &[0; 100]);
    assert_eq!(kernel.bytes(&last)?, 0);
    kernel.one(&last.answer(OTHER))?;
    assert_eq!(kernel.bytes(&last.next(OTHER))?, OTHER.len());
    assert_eq!(kernel.bytes(&at(&last, last.end() + PROBE_WINDOW, &[0; 9]))?, 0);
    Ok(())
}

#[test]
fn skip_copies_nothing_until_its_sequence_number() -> Result<()> {
    let kernel = Kernel::new()?;
    let first = head();
    let until = first.end() + 10_000;
    kernel.decide(&first, Verdict::SkipUntil(until))?;
    let body = payload(1000);
    assert_eq!(kernel.bytes(&at(&first, first.end(), &body))?, 0, "at the beginning");
    assert_eq!(kernel.bytes(&at(&first, until - 1000, &body))?, 0, "it ends at the number");
    let straddling = kernel.one(&at(&first, until - 300, &body))?;
    assert_eq!((straddling.seq, straddling.len), (until, 700));
    assert_eq!(straddling.payload, body[300..]);
    assert_eq!(kernel.bytes(&at(&first, until + COPY_WINDOW - 1, &[1; 9]))?, 1, "a window opens");
    Ok(())
}

#[test]
fn skip_copies_a_segment_that_begins_at_its_sequence_number() -> Result<()> {
    let kernel = Kernel::new()?;
    let first = head();
    kernel.decide(&first, Verdict::SkipUntil(first.end() + 5000))?;
    let segment = kernel.one(&at(&first, first.end() + 5000, HEAD))?;
    assert_eq!((segment.seq, segment.payload.as_slice()), (first.end() + 5000, HEAD));
    Ok(())
}

/// Across 2^32, at every place of the boundary.
#[test]
fn sequence_numbers_wrap_around() -> Result<()> {
    for back in [1, 20, 1_000, 9_999, 10_000, 10_001, 50_000] {
        let kernel = Kernel::new()?;
        let first = Packet { seq: 0_u32.wrapping_sub(back), ..head() };
        let until = first.end().wrapping_add(10_000);
        kernel.decide(&first, Verdict::SkipUntil(until))?;
        let body = payload(1000);
        let before = at(&first, until.wrapping_sub(1000), &body);
        assert_eq!(kernel.bytes(&before)?, 0, "{back} before 2^32");
        let straddling = kernel.one(&at(&first, until.wrapping_sub(10), &body))?;
        assert_eq!((straddling.seq, straddling.len), (until, 990), "{back} before 2^32");
        let end = until.wrapping_add(COPY_WINDOW);
        assert_eq!(kernel.bytes(&at(&first, end.wrapping_sub(7), &body))?, 7, "{back}");
        assert_eq!(kernel.bytes(&at(&first, end, &body))?, 0, "{back} before 2^32");
    }
    Ok(())
}

#[test]
fn done_copies_nothing_until_the_next_syn() -> Result<()> {
    let kernel = Kernel::new()?;
    let first = head();
    let cell = kernel.decide(&first, Verdict::Done)?;
    kernel.verdicts.set(cell.reversed(), Verdict::Done);
    assert_eq!(kernel.bytes(&first.next(HEAD))?, 0);
    assert_eq!(kernel.packet(&Packet { flags: FIN | ACK, ..first.next(b"") })?, []);
    assert_eq!(kernel.packet(&Packet { flags: RST, ..first.next(b"") })?, []);
    let syn = Packet { flags: SYN, seq: 77, ..first.next(b"") };
    assert_eq!(kernel.one(&syn)?.flags, SYN);
    let again = Packet { seq: 78, ..head() };
    assert_eq!(kernel.one(&again)?.payload, HEAD);
    Ok(())
}

#[test]
fn fin_and_rst_come_through_while_closed_or_skipped() -> Result<()> {
    for verdict in [Verdict::CopyUntil(head().end()), Verdict::SkipUntil(head().end() + 100_000)] {
        let kernel = Kernel::new()?;
        let first = head();
        kernel.decide(&first, verdict)?;
        let body = first.next(&payload(1000));
        assert_eq!(kernel.bytes(&body)?, 0, "{verdict:?}");
        for flags in [FIN | ACK, RST] {
            let segment = kernel.one(&Packet { flags, ..body.next(b"") })?;
            assert_eq!((segment.flags, segment.seq, segment.len), (flags, body.end(), 0));
        }
        let last = kernel.one(&Packet { flags: FIN | ACK, ..body })?;
        assert_eq!((last.len, last.payload.len()), (1000, 0), "{verdict:?}: its length is told");
    }
    Ok(())
}

#[test]
fn copy_until_moves_the_window() -> Result<()> {
    let kernel = Kernel::new()?;
    let first = head();
    let until = first.seq + 3 * COPY_WINDOW;
    kernel.decide(&first, Verdict::CopyUntil(until))?;
    assert_eq!(kernel.bytes(&at(&first, until - 5, &[1; 9]))?, 5);
    assert_eq!(kernel.bytes(&at(&first, until, &[1; 9]))?, 0);
    Ok(())
}

/// A verdict names its flow by a tag: it must not stop the flow that came after it.
#[test]
fn a_verdict_on_a_flow_that_is_gone_does_nothing() -> Result<()> {
    let kernel = Kernel::new()?;
    let mut cell = kernel.one(&head())?.cell;
    cell.tag ^= 2;
    kernel.verdicts.set(cell, Verdict::Done);
    assert_eq!(kernel.bytes(&head().next(HEAD))?, HEAD.len());
    Ok(())
}

#[test]
fn both_directions_of_a_flow_have_neighbouring_cells() -> Result<()> {
    let kernel = Kernel::new()?;
    for port in 1..500 {
        let mut request = head();
        request.source.set_port(port);
        let there = kernel.one(&request)?.cell;
        let back = kernel.one(&request.answer(ANSWER))?.cell;
        assert_eq!(there.reversed(), back, "port {port}");
    }
    Ok(())
}
