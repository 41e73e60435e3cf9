//! Finding frames in bytes that may be anything: after a loss, or where a connection was joined.
//!
//! Senders begin frames at segment starts, but not every segment starts with a frame, and headers
//! hold so many zeros that a few octets off they may still look like headers. So bytes are
//! believed to be frames only as a chain of plausible headers, each where the one before it says,
//! on streams that are in use; or with a field block that one side alone could have sent.

use super::block::{Block, Kind};
use super::fragment::Fragment;
use super::frame::{HEADER_BYTES, Header, Type};
use crate::flow::Side;
use crate::http::HeadTiming;
use crate::parse::Parsed;
use crate::parse::hpack::Decoder;

/// A frame of a chain, and its payload as far as it is there.
#[derive(Debug, Clone, Copy)]
struct Link<'a> {
    header: Header,
    payload: &'a [u8],
}

impl Link<'_> {
    fn is_whole(&self) -> bool {
        self.payload.len() == self.header.payload_len()
    }
}

/// Takes the first frame off `bytes`, if `side` may have sent it.
fn next<'a>(side: Side, bytes: &mut &'a [u8]) -> Option<Link<'a>> {
    let header = Header::at(bytes).filter(|header| header.is_plausible(side))?;
    let rest = bytes.get(HEADER_BYTES..)?;
    let (payload, rest) = rest.split_at_checked(header.payload_len()).unwrap_or((rest, &[]));
    *bytes = rest;
    Some(Link { header, payload })
}

/// Whether `bytes` begin with frames of `side`, which has sent on streams up to `highest` before.
pub(super) fn finds(side: Side, highest: u32, bytes: &[u8]) -> bool {
    is_chain(side, bytes, highest) || is_chain(side, bytes, u32::MAX) && tells(side, bytes)
}

/// Which side of an HTTP/2 connection sent a segment of these bytes. `NeedMore`: they may be
/// frames, and do not tell.
#[must_use]
pub fn side_of(bytes: &[u8]) -> Parsed<Side> {
    let sides = [Side::Client, Side::Server];
    let mut chains = sides.into_iter().filter(|side| is_chain(*side, bytes, u32::MAX)).peekable();
    if chains.peek().is_none() {
        return Parsed::NotThisProtocol;
    }
    chains.find(|side| tells(*side, bytes)).map_or(Parsed::NeedMore, Parsed::Message)
}

/// Whether `bytes`, all of them, look like frames of `side` on streams up to `highest`.
fn is_chain(side: Side, mut bytes: &[u8], highest: u32) -> bool {
    let mut last = None;
    while !bytes.is_empty() {
        let Some(link) = next(side, &mut bytes) else {
            // A header may be cut by the end of the segment, behind a frame that is whole.
            return bytes.len() < HEADER_BYTES && last.is_some();
        };
        if link.header.stream() > highest {
            return false;
        }
        last = Some(link);
    }
    // Only what may be large is cut.
    let may_be_cut = |kind: Type| kind == Type::Data || kind.has_fragment();
    last.is_some_and(|link| link.is_whole() || may_be_cut(link.header.kind))
}

/// Whether a field block is among these frames that only `side` could have sent.
fn tells(side: Side, mut bytes: &[u8]) -> bool {
    while let Some(link) = next(side, &mut bytes) {
        let kind = match (link.header.kind, side) {
            (Type::Headers, Side::Server) => Kind::Response,
            (Type::Headers, Side::Client) | (Type::PushPromise, _) => Kind::Request,
            _ => continue,
        };
        let is_whole = link.is_whole() && link.header.ends_headers();
        let fragment = Fragment::of(&link.header, link.payload);
        if fragment.is_some_and(|fragment| begins_head(kind, fragment.octets, is_whole)) {
            return true;
        }
    }
    false
}

/// Whether a block begins as a head of this kind must, as far as it is known to who joins late.
fn begins_head(kind: Kind, fragment: &[u8], is_whole: bool) -> bool {
    let timing = HeadTiming::default();
    let (block, decoded) = Block::decode(&mut Decoder::joined(), kind, fragment, 0, timing);
    (decoded.is_ok() || !is_whole) && block.is_of(kind) && block.is_plausible(kind)
}
