//! A file as a window of bytes that moves on: what was read and is not yet used.

use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::Error;

/// How much is read at once.
const READ_BYTES: usize = 256 * 1024;
/// What a gzip file begins with (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Called when there is nothing to read for the moment; false: nothing more is wanted.
pub(super) type Idle<'a> = &'a mut dyn FnMut() -> bool;

pub(super) struct Window {
    reader: Box<dyn Read>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Where `start` is in the file, unpacked.
    offset: u64,
}

impl Window {
    pub(super) fn new(reader: Box<dyn Read>, idle: Idle<'_>) -> Result<Self, Error> {
        let mut window = Self { reader, buffer: Vec::new(), start: 0, end: 0, offset: 0 };
        if window.fill(GZIP.len(), idle)? && window.bytes().starts_with(&GZIP) {
            let packed = Cursor::new(window.bytes().to_vec()).chain(window.reader);
            window = Self {
                reader: Box::new(MultiGzDecoder::new(packed)),
                buffer: window.buffer,
                start: 0,
                end: 0,
                offset: 0,
            };
        }
        Ok(window)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn consume(&mut self, len: usize) {
        let len = len.min(self.end - self.start);
        self.start += len;
        self.offset += len as u64;
    }

    /// Reads until there are `len` bytes; false: the file ends before, or `idle` says so.
    pub(super) fn fill(&mut self, len: usize, idle: Idle<'_>) -> Result<bool, Error> {
        if self.end - self.start >= len {
            return Ok(true);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.buffer.resize(self.buffer.len().max(len).max(READ_BYTES), 0);
        while self.end < len {
            match self.reader.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => return Ok(false),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !idle() {
                        return Ok(false);
                    }
                }
                // Of a gzip file that was cut.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Err(source) => return Err(Error::Unreadable { offset: self.offset, source }),
            }
        }
        Ok(true)
    }
}
