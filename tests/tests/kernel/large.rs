//! Packets larger than a page: in page fragments, and up to more than IP can say.

use anyhow::{Context, Result, ensure};
use e2e::packets::Packet;

use super::wire::{Attached, Sender, Wire, to_be_segmented};
use super::{Captured, Kernel, head, head_v6, payload};

/// What one record takes at most (`bpf/tc.bpf.c`), less its fixed part.
const CAPTURE_MAX: usize = 72 * 1024 - 88;

/// What is captured of a packet that leaves on a real interface.
fn captured_of(packet: &Packet) -> Result<Captured> {
    let mut captured = Vec::new();
    Wire::with(|wire| {
        let kernel = Kernel::new()?;
        let _attached = Attached::egress(&kernel, wire.near)?;
        let is_ipv4 = packet.source.is_ipv4();
        let header_bytes = if is_ipv4 { 54 } else { 74 };
        // 6.1 gives a packet socket 17 page fragments and no more.
        let linear = if packet.length_unsaid { 40_000 } else { header_bytes.into() };
        let offload = to_be_segmented(linear, header_bytes, is_ipv4);
        Sender::new(wire.near)?.send(&packet.frame(), offload)?;
        captured = kernel.captured()?;
        let from_test = |segment: &Captured| segment.source == packet.source.to_string();
        captured.retain(from_test);
        Ok(())
    })?;
    ensure!(captured.len() == 1, "{} records", captured.len());
    Ok(captured.remove(0))
}

/// The classes of 4096 and 16384 bytes and the largest, with one byte more and one less.
#[test]
fn a_payload_in_page_fragments_comes_out_byte_for_byte() -> Result<()> {
    for len in [4007, 4008, 4009, 9000, 16295, 16296, 16297, 30_000, 65_000] {
        for packet in [head(), head_v6()] {
            let packet = Packet { payload: payload(len), ..packet };
            let captured = captured_of(&packet).with_context(|| format!("{len} bytes"))?;
            assert_eq!(captured.len as usize, len);
            assert!(captured.payload == packet.payload, "{len} bytes");
        }
    }
    Ok(())
}

/// BIG TCP: the length field of IP cannot say the length, and says 0.
#[test]
fn a_packet_larger_than_64_kib_is_cut_and_tells_its_length() -> Result<()> {
    for packet in [head(), head_v6()] {
        for len in [66_000, CAPTURE_MAX, CAPTURE_MAX + 1, 100_000] {
            let packet = Packet { payload: payload(len), length_unsaid: true, ..packet.clone() };
            let captured = captured_of(&packet).with_context(|| format!("{len} bytes"))?;
            assert_eq!(captured.len as usize, len);
            assert!(captured.payload == packet.payload[..len.min(CAPTURE_MAX)], "{len} bytes");
        }
    }
    Ok(())
}
