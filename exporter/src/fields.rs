//! A header section (RFC 9110 section 6.3): field lines in wire order, duplicates and original
//! spelling kept, in one allocation for the bytes and one for their bounds. Of lines whose content
//! is not known, which HPACK makes possible, only the number is kept.

/// Field lines in the order they were received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    block: Vec<u8>,
    lines: Vec<Line>,
    unknown: u32,
}

/// Where a field line lies in `block`: its name starts at `start`, its value at `value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    start: usize,
    value: usize,
    end: usize,
}

impl Fields {
    /// No field lines yet, with room for `lines` of them and `bytes` of names and values.
    #[must_use]
    pub fn with_capacity(lines: usize, bytes: usize) -> Self {
        Self { block: Vec::with_capacity(bytes), lines: Vec::with_capacity(lines), unknown: 0 }
    }

    /// No field lines of those that `other` knows, with room for them.
    #[must_use]
    pub fn with_room_for(other: &Self) -> Self {
        let unknown = other.unknown;
        Self { unknown, ..Self::with_capacity(other.lines.len(), other.block.len()) }
    }

    /// Adds a field line at the end.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.block.len();
        self.block.extend_from_slice(name);
        self.block.extend_from_slice(value);
        self.lines.push(Line { start, value: start + name.len(), end: self.block.len() });
    }

    /// Adds a field line that was sent and of which the name or the value is not known.
    pub fn push_unknown(&mut self) {
        self.unknown = self.unknown.saturating_add(1);
    }

    /// Lengthens the value of the last field line (RFC 9112 section 5.2, obs-fold).
    pub fn extend_last(&mut self, more: &[u8]) {
        if let Some(last) = self.lines.last_mut() {
            self.block.extend_from_slice(more);
            last.end = self.block.len();
        }
    }

    /// The name and value of each field line, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.iter().map(|line| {
            let part = |from, to| self.block.get(from..to).unwrap_or_default();
            (part(line.start, line.value), part(line.value, line.end))
        })
    }

    /// The values of every field line of this name; names are compared without case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The value of the first field line of this name.
    #[must_use]
    pub fn first<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// How many more field lines were sent, of which the name or the value is not known.
    #[must_use]
    pub fn unknown(&self) -> u32 {
        self.unknown
    }

    /// The number of field lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// The bytes of all names and values.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.block.len()
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.block.capacity() + self.lines.capacity() * size_of::<Line>()
    }

    /// Whether there is no field line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(lines: I) -> Self {
        let mut fields = Self::default();
        for (name, value) in lines {
            fields.push(name.as_ref(), value.as_ref());
        }
        fields
    }
}

#[cfg(test)]
mod tests;
