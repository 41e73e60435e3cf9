//! One direction of an HTTP/1 connection: its stream, and where that stands.

use crate::flow::Side;
use crate::parse::http1::{HEAD_MAX_BYTES, Stream};

/// One direction's messages.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) stream: Stream,
    /// A head was read whose message has not ended.
    pub(super) open: bool,
    /// The stream looks for a head, and passes over what is none.
    pub(super) seeking: bool,
    /// Bytes that the stream keeps of a section that is not whole, at most.
    pub(super) buffered: usize,
}

impl Half {
    pub(super) fn new(side: Side) -> Self {
        Self { stream: Stream::new(side), open: false, seeking: false, buffered: 0 }
    }

    pub(super) fn joined(side: Side) -> Self {
        Self { stream: Stream::joined(side), seeking: true, ..Self::new(side) }
    }

    pub(super) fn read_head(&mut self, has_content: bool) {
        (self.open, self.seeking) = (has_content, false);
    }

    pub(super) fn lost(&mut self) {
        (self.open, self.seeking, self.buffered) = (false, true, 0);
    }

    /// The stream has taken a chunk of `len` bytes to its end. Gives whether it passed over some
    /// that were nothing to it.
    pub(super) fn took(&mut self, len: usize) -> bool {
        let in_section = self.stream.in_head() || self.open && self.stream.skippable() == 0;
        let buffered = if in_section { self.buffered + len } else { 0 };
        self.buffered = buffered.min(HEAD_MAX_BYTES);
        len > 0 && self.seeking && !self.stream.in_head()
    }
}
