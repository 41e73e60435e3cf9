//! Capture files as bytes: every field is what a test says.

/// A byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, n: u16) -> [u8; 2] {
        if self == Self::Little { n.to_le_bytes() } else { n.to_be_bytes() }
    }

    fn u32(self, n: u32) -> [u8; 4] {
        if self == Self::Little { n.to_le_bytes() } else { n.to_be_bytes() }
    }
}

fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a test's bytes are few")
}

/// A pcap file's header.
pub(super) fn pcap(order: Order, magic: u32, link: u32) -> Vec<u8> {
    let mut file = order.u32(magic).to_vec();
    file.extend(order.u16(2));
    file.extend(order.u16(4));
    for field in [0, 0, 65_535, link] {
        file.extend(order.u32(field));
    }
    file
}

/// A pcap record: when, how long it was, and what was captured.
pub(super) fn record(order: Order, at: (u32, u32), origlen: u32, bytes: &[u8]) -> Vec<u8> {
    let fields = [at.0, at.1, len(bytes), origlen].map(|field| order.u32(field));
    [&fields.concat(), bytes].concat()
}

/// A pcapng block of a kind.
pub(super) fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let len = order.u32(len(&body) + 12);
    [&order.u32(kind)[..], &len, &body, &len].concat()
}

pub(super) fn section(order: Order) -> Vec<u8> {
    let body = [&order.u32(0x1a2b_3c4d)[..], &order.u16(1), &order.u16(0), &[0xff; 8]].concat();
    block(order, 0x0a0d_0d0a, &body)
}

/// An interface with options: code and value.
pub(super) fn interface(
    order: Order,
    link: u16,
    snap_len: u32,
    options: &[(u16, &[u8])],
) -> Vec<u8> {
    let mut body = [&order.u16(link)[..], &[0, 0], &order.u32(snap_len)].concat();
    for (code, value) in options {
        body.extend(order.u16(*code));
        body.extend(order.u16(u16::try_from(value.len()).expect("short")));
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    if !options.is_empty() {
        body.extend([0; 4]);
    }
    block(order, 1, &body)
}

/// An enhanced packet block; `ticks` are the interface's.
pub(super) fn packet(
    order: Order,
    interface: u32,
    ticks: u64,
    origlen: u32,
    bytes: &[u8],
) -> Vec<u8> {
    let high = u32::try_from(ticks >> 32).expect("it is the upper half");
    let low = u32::try_from(ticks & 0xffff_ffff).expect("it is the lower half");
    let fields = [interface, high, low, len(bytes), origlen].map(|field| order.u32(field));
    block(order, 6, &[&fields.concat(), bytes].concat())
}

/// A packet block, as it was before.
pub(super) fn old_packet(order: Order, interface: u16, ticks: u32, bytes: &[u8]) -> Vec<u8> {
    let fields = [0, ticks, len(bytes), len(bytes)].map(|field| order.u32(field)).concat();
    let body = [&order.u16(interface)[..], &order.u16(0), &fields, bytes].concat();
    block(order, 2, &body)
}

/// A simple packet block.
pub(super) fn simple_packet(order: Order, origlen: u32, bytes: &[u8]) -> Vec<u8> {
    block(order, 3, &[&order.u32(origlen)[..], bytes].concat())
}
