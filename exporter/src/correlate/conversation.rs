//! What every protocol makes of a connection's ordered bytes.
//!
//! A flow holds one conversation and knows nothing of its grammar. What is found comes out as
//! [`Step`]s, to which the flow adds who took part.

use std::fmt;

use crate::exchange::Failure;
use crate::flow::{Side, Timestamp};

use super::messages::{Messages, Step};

/// Whether a conversation goes on after some bytes.
#[derive(Debug)]
pub(super) enum Fate {
    /// It goes on.
    GoesOn,
    /// Nothing more is read of the connection.
    Over,
    /// The connection goes on as `next`, which begins with the bytes that are `unread`.
    Becomes { next: Box<dyn Conversation>, unread: usize },
    /// The connection is not what it was taken for.
    NotThisProtocol,
    /// It is over after `exchanges`, and another begins with the bytes that are `unread`.
    Tunnel { unread: usize, exchanges: u64 },
}

/// What a conversation needs next of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// The next bytes, as many, are needed by nobody.
    Skip(u64),
    /// HTTP/2: as many bytes are needed by nobody, and then a frame header begins. To be said when
    /// what is between here and that header is DATA payload, or nothing. The kernel side copies no
    /// payload of DATA from then on: it comes as gaps that end where the payload does, or before.
    Frame(u64),
    /// Headers are to be expected.
    More,
    /// Nothing, until the other side talks.
    Turn,
}

/// One connection in one protocol.
pub(super) trait Conversation: fmt::Debug {
    /// Takes bytes of one side.
    fn data(&mut self, side: Side, bytes: &[u8], at: Timestamp, steps: &mut Vec<Step>) -> Fate;

    /// `len` bytes of one side were not captured. Nothing is paired or decoded across them.
    fn gap(&mut self, side: Side, len: u64, at: Timestamp, steps: &mut Vec<Step>);

    /// One side has closed in order.
    fn fin(&mut self, side: Side, at: Timestamp, steps: &mut Vec<Step>);

    /// No more will come: gives everything that is not over, for this reason.
    fn fail(&mut self, failure: Failure, steps: &mut Vec<Step>);

    /// Gives what began before `limit`. What comes of it after all is given on its own.
    fn give_overdue(&mut self, limit: Timestamp, steps: &mut Vec<Step>);

    /// Gives back all memory: what is open is given as it is or lost, and the connection is read
    /// on as if it had been joined here.
    fn shed(&mut self, steps: &mut Vec<Step>);

    /// What is needed next of one side.
    fn wants(&self, side: Side) -> Wants;

    /// About how many bytes of memory it keeps.
    fn cost(&self) -> usize;

    /// An exchange that was asked and is not answered.
    fn waiting(&mut self, index: u64) -> Option<&mut Messages>;
}
