//! The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks; a packet names the interface
//! that it was captured on, and only that tells its link type and its clock.

use pcap_parser::pcapng::{
    OptionCode, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
};

use crate::flow::Timestamp;
use crate::packet::{Captured, LinkType};

use super::Error;
use super::format::{RECORD_MAX_BYTES, Step, Stop};
use super::window::{Idle, Window};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
/// Replaced by the enhanced packet block, long ago.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Type and length, and the length again at the end.
const BLOCK_MIN_BYTES: usize = 12;
/// Interfaces that a section may describe.
const INTERFACES_MAX: usize = 64 * 1024;
const SECOND_NS: u64 = 1_000_000_000;

/// A file, as far as its blocks have told.
#[derive(Debug, Default)]
pub(super) struct PcapNg {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// When the last packet was captured: simple packets do not tell.
    at: Timestamp,
}

/// What packets are captured on.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: LinkType,
    /// What is kept of a packet; 0: all of it.
    snap_len: u32,
    ticks_per_second: u64,
    offset_s: i64,
}

impl PcapNg {
    pub(super) fn begins(window: &mut Window, idle: Idle<'_>) -> Result<bool, Error> {
        if !window.fill(BLOCK_MIN_BYTES, idle)? {
            return Ok(false);
        }
        let block = Block { bytes: window.bytes(), big_endian: false };
        let magic = block.u32_at(8);
        Ok(block.u32_at(0) == Some(SECTION_HEADER)
            && [Some(BYTE_ORDER_MAGIC), Some(BYTE_ORDER_MAGIC.swap_bytes())].contains(&magic))
    }

    pub(super) fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<(Step<'a>, usize), Stop> {
        let start = Block { bytes, big_endian: self.big_endian };
        let kind = start.u32_at(0).ok_or(Stop::NeedMore(BLOCK_MIN_BYTES))?;
        if kind == SECTION_HEADER {
            // Its own byte order is the section's.
            let little = Block { bytes, big_endian: false };
            match little.u32_at(8).ok_or(Stop::NeedMore(BLOCK_MIN_BYTES))? {
                BYTE_ORDER_MAGIC => self.big_endian = false,
                magic if magic == BYTE_ORDER_MAGIC.swap_bytes() => self.big_endian = true,
                _ => return Err(Stop::Damaged),
            }
        }
        let start = Block { bytes, big_endian: self.big_endian };
        let len = start.u32_at(4).ok_or(Stop::NeedMore(BLOCK_MIN_BYTES))?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if !(BLOCK_MIN_BYTES..=RECORD_MAX_BYTES).contains(&len) || len % 4 != 0 {
            return Err(Stop::Damaged);
        }
        let bytes = bytes.get(..len).ok_or(Stop::NeedMore(len))?;
        Ok((self.block(kind, Block { bytes, big_endian: self.big_endian }), len))
    }

    fn block<'a>(&mut self, kind: u32, block: Block<'a>) -> Step<'a> {
        match kind {
            SECTION_HEADER => {
                self.interfaces.clear();
                Step::Other
            }
            INTERFACE_DESCRIPTION => self.describe(&block).unwrap_or(Step::Other),
            ENHANCED_PACKET => self.packet(block.u32_at(8), &block).unwrap_or(Step::Malformed),
            PACKET => {
                let interface = block.u16_at(8).map(u32::from);
                self.packet(interface, &block).unwrap_or(Step::Malformed)
            }
            SIMPLE_PACKET => self.simple_packet(&block).unwrap_or(Step::Malformed),
            _ => Step::Other,
        }
    }

    /// An interface that is not understood has its place in the order all the same.
    fn describe(&mut self, block: &Block<'_>) -> Option<Step<'static>> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return None;
        }
        let link = LinkType(block.u16_at(8)?);
        let snap_len = block.u32_at(12)?;
        let (ticks_per_second, offset_s) = block.clock();
        self.interfaces.push(Interface { link, snap_len, ticks_per_second, offset_s });
        Some(if link.is_read() { Step::Other } else { Step::UnreadInterface(link) })
    }

    fn interface(&self, index: u32) -> Option<Interface> {
        self.interfaces.get(usize::try_from(index).ok()?).copied()
    }

    fn packet<'a>(&mut self, interface: Option<u32>, block: &Block<'a>) -> Option<Step<'a>> {
        let interface = self.interface(interface?)?;
        let ticks = u64::from(block.u32_at(12)?) << 32 | u64::from(block.u32_at(16)?);
        self.at = interface.time(ticks);
        let captured = usize::try_from(block.u32_at(20)?).ok()?;
        let len = usize::try_from(block.u32_at(24)?).ok()?;
        let bytes = block.bytes.get(28..)?.get(..captured)?;
        Some(interface.frame(Captured::new(bytes, len), self.at))
    }

    fn simple_packet<'a>(&mut self, block: &Block<'a>) -> Option<Step<'a>> {
        let interface = self.interface(0)?;
        let len = usize::try_from(block.u32_at(8)?).ok()?;
        let kept = match usize::try_from(interface.snap_len).ok()? {
            0 => len,
            snap_len => len.min(snap_len),
        };
        let bytes = block.bytes.get(12..block.bytes.len() - 4)?;
        let bytes = bytes.get(..kept).unwrap_or(bytes);
        Some(interface.frame(Captured::new(bytes, len), self.at))
    }
}

impl Interface {
    fn frame<'a>(&self, captured: Captured<'a>, at: Timestamp) -> Step<'a> {
        if self.link.is_read() {
            Step::Frame { link: self.link, captured, at }
        } else {
            Step::Unread
        }
    }

    fn time(&self, ticks: u64) -> Timestamp {
        let per_second = self.ticks_per_second.max(1);
        let ns = if SECOND_NS.is_multiple_of(per_second) {
            ticks.saturating_mul(SECOND_NS / per_second)
        } else {
            let ns = u128::from(ticks) * u128::from(SECOND_NS) / u128::from(per_second);
            u64::try_from(ns).unwrap_or(u64::MAX)
        };
        let offset_ns = self.offset_s.unsigned_abs().saturating_mul(SECOND_NS);
        Timestamp(if self.offset_s < 0 {
            ns.saturating_sub(offset_ns)
        } else {
            ns.saturating_add(offset_ns)
        })
    }
}

/// A block, or what a block begins with.
struct Block<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Block<'_> {
    fn u16_at(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// How often an interface's clock ticks a second, and what its zero is.
    fn clock(&self) -> (u64, i64) {
        let parse = if self.big_endian {
            parse_interfacedescriptionblock_be
        } else {
            parse_interfacedescriptionblock_le
        };
        let (mut ticks_per_second, mut offset_s) = (1_000_000, 0);
        let Ok((_, description)) = parse(self.bytes) else { return (ticks_per_second, offset_s) };
        for option in &description.options {
            match (option.code, &*option.value) {
                (OptionCode::IfTsresol, [resolution, ..]) => {
                    ticks_per_second = per_second(*resolution).unwrap_or(ticks_per_second);
                }
                (OptionCode::IfTsoffset, value) => {
                    let bytes = value.first_chunk().copied().unwrap_or_default();
                    offset_s = if self.big_endian {
                        i64::from_be_bytes(bytes)
                    } else {
                        i64::from_le_bytes(bytes)
                    };
                }
                _ => {}
            }
        }
        (ticks_per_second, offset_s)
    }
}

/// A negative power of 10 or, with the upper bit, of 2.
fn per_second(resolution: u8) -> Option<u64> {
    let power = u32::from(resolution & 0x7f);
    if resolution & 0x80 == 0 { 10_u64.checked_pow(power) } else { 2_u64.checked_pow(power) }
}
