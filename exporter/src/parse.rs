//! Protocol grammars: bytes in, messages out. No I/O, no clock, no `unsafe`, no indexing.
//!
//! Every parser takes the ordered chunks of one direction and answers in the same three ways:
//! a message, *not this protocol*, or *need more*.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod dns;
pub mod hpack;
pub mod http1;
pub mod http2;
pub mod tls;

/// The answer of a parser that was shown some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed<M> {
    /// A message, or the next part of one.
    Message(M),
    /// All bytes were taken and the message is not complete: call again with the next chunk.
    NeedMore,
    /// No further byte can make this a message of the protocol.
    NotThisProtocol,
}
