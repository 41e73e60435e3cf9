//! Hellos written by hand, and their records.

/// A ClientHello to be written.
#[derive(Debug)]
pub(super) struct Hello {
    pub(super) legacy_version: u16,
    pub(super) cipher_suites: Vec<u16>,
    pub(super) has_extensions: bool,
    pub(super) extensions: Vec<(u16, Vec<u8>)>,
}

impl Default for Hello {
    fn default() -> Self {
        Self {
            legacy_version: 0x0303,
            cipher_suites: vec![0x002f],
            has_extensions: true,
            extensions: Vec::new(),
        }
    }
}

impl Hello {
    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = self.legacy_version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.push(0);
        body.extend(u16s(&self.cipher_suites));
        body.extend([1, 0]);
        if self.has_extensions {
            let list: Vec<u8> = self.extensions.iter().flat_map(extension).collect();
            body.extend(vec16(&list));
        }
        body
    }

    /// In as few records as will do.
    pub(super) fn records(&self) -> Vec<u8> {
        records(&handshake(1, &self.body()), usize::MAX)
    }
}

fn extension((kind, content): &(u16, Vec<u8>)) -> Vec<u8> {
    [kind.to_be_bytes().to_vec(), vec16(content)].concat()
}

/// A vector after its length in two bytes.
pub(super) fn vec16(content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).expect("tests write no longer vectors");
    [&len.to_be_bytes(), content].concat()
}

/// Numbers as such a vector.
pub(super) fn u16s(numbers: &[u16]) -> Vec<u8> {
    vec16(&numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>())
}

/// A handshake message.
pub(super) fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).expect("tests write no longer messages");
    let [_, len @ ..] = len.to_be_bytes();
    [&[kind], len.as_slice(), body].concat()
}

/// Handshake records of at most `max` bytes.
pub(super) fn records(messages: &[u8], max: usize) -> Vec<u8> {
    let record = |fragment: &[u8]| [&[22, 3, 1], vec16(fragment).as_slice()].concat();
    messages.chunks(max.min(1 << 14)).flat_map(record).collect()
}
