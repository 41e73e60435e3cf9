//! Messages for tests, as bytes.

/// The header's flags of a query that wants recursion.
pub(crate) const RD: u16 = 0x0100;
/// The header's flags of a resolver's response.
pub(crate) const RESPONSE: u16 = 0x8180;

/// A message that is written part by part.
#[derive(Debug, Clone)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn new(id: u16, flags: u16, counts: [u16; 4]) -> Self {
        let words = [id, flags].into_iter().chain(counts);
        Self(words.flat_map(u16::to_be_bytes).collect())
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn name(mut self, name: &str) -> Self {
        for label in name.split('.').filter(|label| !label.is_empty()) {
            self.0.push(u8::try_from(label.len()).expect("a label of at most 63 octets"));
            self.0.extend_from_slice(label.as_bytes());
        }
        self.0.push(0);
        self
    }

    pub(crate) fn question(self, name: &str, rtype: u16, class: u16) -> Self {
        self.name(name).bytes(&rtype.to_be_bytes()).bytes(&class.to_be_bytes())
    }

    /// A record whose name is the first question's.
    pub(crate) fn record(self, rtype: u16, class: u16, ttl: u32, data: &[u8]) -> Self {
        self.bytes(&[0xc0, 12]).rest(rtype, class, ttl, data)
    }

    /// What follows the name of a record.
    pub(crate) fn rest(self, rtype: u16, class: u16, ttl: u32, data: &[u8]) -> Self {
        let len = u16::try_from(data.len()).expect("a test's data is short");
        self.bytes(&rtype.to_be_bytes())
            .bytes(&class.to_be_bytes())
            .bytes(&ttl.to_be_bytes())
            .bytes(&len.to_be_bytes())
            .bytes(data)
    }
}

/// A query as resolvers send it.
pub(crate) fn query(id: u16, name: &str, rtype: u16) -> Vec<u8> {
    Writer::new(id, RD, [1, 0, 0, 0]).question(name, rtype, 1).0
}

/// A response with these addresses.
pub(crate) fn response(id: u16, name: &str, addresses: &[[u8; 4]]) -> Vec<u8> {
    let count = u16::try_from(addresses.len()).expect("a test has few addresses");
    let head = Writer::new(id, RESPONSE, [1, count, 0, 0]).question(name, 1, 1);
    addresses.iter().fold(head, |writer, address| writer.record(1, 1, 60, address)).0
}
