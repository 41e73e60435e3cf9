//! DNS lookups: which response answers which query, over datagrams and over streams.
//!
//! A response answers the oldest query of the same ends, id, opcode and question that waits. A
//! query that was repeated within the wait and got no response of its own is told as repeated, not
//! as failed: its lookup was answered. What is sent to a group waits for nothing, as nobody need
//! answer and many may, and is told message by message.

mod datagrams;
mod pairs;
mod stream;

use crate::dns::{Failure, Message, Protocol};
use crate::flow::Side;

pub(super) use datagrams::Datagrams;
pub(super) use stream::Stream;

/// DNS stateful operations (RFC 8490), of which messages with id 0 are never answered.
const OPCODE_DSO: u8 = 6;

/// What a connection finds of a lookup, to which its flow adds who took part.
#[derive(Debug)]
pub(super) struct Found {
    /// Which side asks.
    pub(super) client: Side,
    pub(super) protocol: Protocol,
    pub(super) query: Option<Message>,
    pub(super) response: Option<Message>,
    pub(super) failure: Option<Failure>,
    pub(super) is_repeated: bool,
}

impl Found {
    fn new(client: Side, protocol: Protocol) -> Self {
        Self { client, protocol, query: None, response: None, failure: None, is_repeated: false }
    }
}

/// Whether a response is due to a query that was sent to one host.
fn is_answered(query: &Message) -> bool {
    query.flags.opcode() != OPCODE_DSO || query.id != 0
}
