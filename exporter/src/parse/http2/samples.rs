//! Frames for tests.

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const WITH_PRIORITY: u8 = 0x20;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("it is a small payload");
    let [_, len @ ..] = len.to_be_bytes();
    [&len[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET /` of `www.example.com`, whose authority is inserted in the dynamic table.
pub(crate) const GET: &[u8] = b"\x82\x86\x84\x41\x0fwww.example.com";
/// The same again.
pub(crate) const GET_AGAIN: &[u8] = b"\x82\x86\x84\xbe";
/// `200` with a `server`, which is inserted.
pub(crate) const OK: &[u8] = b"\x88\x76\x05nginx";
/// The same again.
pub(crate) const OK_AGAIN: &[u8] = b"\x88\xbe";
/// `grpc-status: 0`, which is inserted.
pub(crate) const STATUS: &[u8] = b"\x40\x0bgrpc-status\x010";
