//! The pcap format (draft-ietf-opsawg-pcap): a header, then packets of one link type.

use pcap_parser::{
    LegacyPcapBlock, PcapError, nom, parse_pcap_frame, parse_pcap_frame_be,
    parse_pcap_frame_modified, parse_pcap_header,
};

use crate::flow::Timestamp;
use crate::packet::{Captured, LinkType};

use super::Error;
use super::format::{RECORD_MAX_BYTES, Step, Stop};
use super::window::{Idle, Window};

const HEADER_BYTES: usize = 24;

pub(super) struct Pcap {
    link: LinkType,
    parse: Parse,
    /// What one unit of the fraction of a second is.
    unit_ns: u64,
}

/// A record's parser; the file's header tells which.
type Parse =
    for<'a> fn(&'a [u8]) -> nom::IResult<&'a [u8], LegacyPcapBlock<'a>, PcapError<&'a [u8]>>;

impl Pcap {
    pub(super) fn recognise(window: &mut Window, idle: Idle<'_>) -> Result<Self, Error> {
        if !window.fill(HEADER_BYTES, idle)? {
            return Err(Error::NotACapture);
        }
        let (_, header) = parse_pcap_header(window.bytes()).map_err(|_| Error::NotACapture)?;
        let link = link_type(header.network.0);
        if !link.is_read() {
            return Err(Error::LinkType(link));
        }
        let parse: Parse = match (header.is_modified_format(), header.is_bigendian()) {
            (true, _) => parse_pcap_frame_modified,
            (false, true) => parse_pcap_frame_be,
            (false, false) => parse_pcap_frame,
        };
        let unit_ns = if header.is_nanosecond_precision() { 1 } else { 1_000 };
        window.consume(HEADER_BYTES);
        Ok(Self { link, parse, unit_ns })
    }

    pub(super) fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<(Step<'a>, usize), Stop> {
        let (rest, record) = (self.parse)(bytes).map_err(|error| stop(&error, bytes))?;
        let at =
            u64::from(record.ts_sec) * 1_000_000_000 + u64::from(record.ts_usec) * self.unit_ns;
        let len = usize::try_from(record.origlen).unwrap_or(usize::MAX);
        let step = Step::Frame {
            link: self.link,
            captured: Captured::new(record.data, len),
            at: Timestamp(at),
        };
        Ok((step, bytes.len() - rest.len()))
    }
}

fn stop(error: &nom::Err<PcapError<&[u8]>>, bytes: &[u8]) -> Stop {
    match error {
        nom::Err::Incomplete(nom::Needed::Size(more)) => {
            let len = bytes.len().saturating_add(more.get());
            if len > RECORD_MAX_BYTES { Stop::Damaged } else { Stop::NeedMore(len) }
        }
        _ => Stop::Damaged,
    }
}

/// The field has other uses in its upper bits (section 4: FCS length), which are not needed.
fn link_type(network: i32) -> LinkType {
    LinkType(u16::try_from(network & 0xffff).unwrap_or_default())
}
