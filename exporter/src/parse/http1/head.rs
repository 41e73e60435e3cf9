//! A head (RFC 9112 sections 3 to 6): its bytes, start line to empty line, in; the request or
//! response and the framing of its content out.

use crate::fields::Fields;
use crate::http::{HeadTiming, Oddities, Request, Response, Version};

use super::body::{self, Body};
use super::section::{next_line, parse_fields};
use crate::flow::Side;

use super::{Part, start_line};

/// Reads a whole head. `None`: its start line is not one of this side, by the strict measure
/// where `strict`.
pub(super) fn parse(
    side: Side,
    strict: bool,
    block: &[u8],
    timing: HeadTiming,
) -> Option<(Part, Body)> {
    let mut rest = block;
    let mut oddities = Oddities::default();
    let line = next_line(&mut rest, &mut oddities)?;
    let head_size = u64::try_from(block.len()).ok()?;
    match side {
        Side::Client => {
            if strict && !start_line::is_strict_request(line) {
                return None;
            }
            let (method, target, version) = start_line::parse_request(line)?;
            let fields = parse_fields(rest, &mut oddities);
            let body = body::of_request(&fields, &mut oddities);
            let (method, target) = (method.to_vec(), target.to_vec());
            let request = Request { method, target, version, fields, head_size, timing, oddities };
            Some((Part::Request(request), body))
        }
        Side::Server => {
            let (version, status, reason) = start_line::parse_status(line)?;
            let fields = parse_fields(rest, &mut oddities);
            let body = body::of_response(status, &fields, &mut oddities);
            let reason = start_line::unusual_reason(status, reason);
            let response =
                Response { status, reason, version, fields, head_size, timing, oddities };
            Some((Part::Response(response), body))
        }
    }
}

/// Reads a request line that was cut in its version. `None`: the target may have been cut as well.
pub(super) fn parse_cut_line(side: Side, line: &[u8], timing: HeadTiming) -> Option<Part> {
    let (method, target) = start_line::parse_cut_request(line).filter(|_| side == Side::Client)?;
    Some(Part::Request(Request {
        method: method.to_vec(),
        target: target.to_vec(),
        version: Version::Other(Default::default()),
        fields: Fields::default(),
        head_size: u64::try_from(line.len()).ok()?,
        timing,
        oddities: Oddities::default(),
    }))
}
