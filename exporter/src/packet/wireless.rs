//! IEEE 802.11 data frames, with or without a radiotap header. What is encrypted stays so.

use super::{Captured, Error, Packet, Place, ether};

/// Frame control, duration, three addresses, sequence control.
const HEADER_BYTES: usize = 24;
const ADDRESS_BYTES: usize = 6;
/// Flags of frame control's second byte.
const TO_AND_FROM_DS: u8 = 0x03;
const PROTECTED: u8 = 0x40;
const HT_CONTROL: u8 = 0x80;
/// In the first byte: two bits of type, a bit for no data, a bit for quality of service.
const TYPE_AND_NO_DATA: u8 = 0x4c;
const DATA: u8 = 0x08;
const QOS: u8 = 0x80;
/// In the first byte of QoS control: the payload is a sequence of frames.
const AGGREGATE: u8 = 0x80;

/// Radiotap (radiotap.org): fields in the order of their bits, each aligned to its own size.
const TSFT: u32 = 1;
const FLAGS: u32 = 2;
const EXTENDED: u32 = 1 << 31;
/// Values of the field `FLAGS`.
const PADDED: u8 = 0x20;
const BAD_FCS: u8 = 0x40;

pub(super) fn decode<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    decode_frame(frame, 1, place)
}

pub(super) fn decode_radiotap<'a>(frame: Captured<'a>, place: Place) -> Result<Packet<'a>, Error> {
    let present = frame.le_u32_at(4)?;
    let mut fields = 8;
    let mut word = present;
    while word & EXTENDED != 0 {
        word = frame.le_u32_at(fields)?;
        fields += 4;
    }
    if present & TSFT != 0 {
        fields = fields.next_multiple_of(8) + 8;
    }
    let flags = if present & FLAGS != 0 { frame.u8_at(fields)? } else { 0 };
    if flags & BAD_FCS != 0 {
        return Err(Error::Malformed);
    }
    let alignment = if flags & PADDED != 0 { 4 } else { 1 };
    decode_frame(frame.skip(frame.le_u16_at(2)?.into())?, alignment, place)
}

fn decode_frame(frame: Captured<'_>, alignment: usize, place: Place) -> Result<Packet<'_>, Error> {
    let [control, flags] = *frame.header()?;
    if control & TYPE_AND_NO_DATA != DATA || flags & PROTECTED != 0 {
        return Ok(Packet::Other);
    }
    let mut len = HEADER_BYTES;
    if flags & TO_AND_FROM_DS == TO_AND_FROM_DS {
        len += ADDRESS_BYTES;
    }
    let mut aggregate = false;
    if control & QOS != 0 {
        aggregate = frame.u8_at(len)? & AGGREGATE != 0;
        len += 2;
        if flags & HT_CONTROL != 0 {
            len += 4;
        }
    }
    if aggregate {
        // Several packets in one.
        return Ok(Packet::Other);
    }
    ether::decode_llc(frame.skip(len.next_multiple_of(alignment))?, place)
}
