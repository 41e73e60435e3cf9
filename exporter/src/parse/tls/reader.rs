//! Bytes of a message from its front (RFC 8446 section 3): numbers, and vectors after their
//! lengths. Cannot run past the end.

/// What is left of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    /// A vector whose length takes one byte.
    pub(super) fn vec8(&mut self) -> Option<Self> {
        let len = self.u8()?;
        self.bytes(usize::from(len)).map(Self)
    }

    /// A vector whose length takes two bytes.
    pub(super) fn vec16(&mut self) -> Option<Self> {
        let len = self.u16()?;
        self.bytes(usize::from(len)).map(Self)
    }

    /// What is left, as numbers of two bytes.
    pub(super) fn u16s(self) -> Option<Vec<u16>> {
        let (pairs, rest) = self.0.as_chunks();
        rest.is_empty().then(|| pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
    }

    /// Gives extensions (RFC 8446 section 4.2) up to the end of the message. `None`: they are not
    /// as they should be from some place on.
    pub(super) fn extensions(mut self, mut give: impl FnMut(u16, Self)) -> Option<()> {
        if self.is_empty() {
            // Before TLS 1.3 there may be none, and then there is no length of them either.
            return Some(());
        }
        let mut list = self.vec16()?;
        while !list.is_empty() {
            give(list.u16()?, list.vec16()?);
        }
        self.is_empty().then_some(())
    }

    /// What is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}
