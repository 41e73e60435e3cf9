//! The messages of one exchange on their way to being one, and what a connection finds of them.

use crate::exchange::Failure;
use crate::flow::Timestamp;
use crate::http::{MessageEnd, Request, Response};
use crate::stats::{Cause, Unit};

use super::dns;
use super::tls::Hellos;
use super::trace::Trace;

/// About what an exchange costs beside its heads.
const MESSAGES_COST_BYTES: usize = 2 * size_of::<Messages>();

/// The messages of one exchange.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) index: u64,
    /// The stream identifier; `None` for HTTP/1.
    pub(super) stream_id: Option<u32>,
    pub(super) request: Option<Request>,
    pub(super) request_end: Option<MessageEnd>,
    pub(super) response: Option<Response>,
    pub(super) response_end: Option<MessageEnd>,
    pub(super) interim: Vec<Response>,
    pub(super) failure: Option<Failure>,
    /// Decided when the request was asked.
    pub(super) trace: Option<Trace>,
}

impl Messages {
    /// About how many bytes of memory it takes.
    pub(super) fn cost(&self) -> usize {
        let heads = [&self.request].into_iter().flatten().map(|request| request.head_size);
        let answers = self.response.iter().chain(&self.interim).map(|response| response.head_size);
        let heads = heads.chain(answers).map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let trailers = self.request_end.iter().map(|end| end.trailers.byte_len());
        heads.chain(trailers).fold(MESSAGES_COST_BYTES, usize::saturating_add)
    }

    /// When its first byte was captured.
    pub(super) fn start(&self) -> Option<Timestamp> {
        let request = self.request.as_ref().map(|request| request.timing.first_byte);
        let first_answer = self.interim.first().or(self.response.as_ref());
        request.or(first_answer.map(|response| response.timing.first_byte))
    }
}

/// What a conversation found.
#[derive(Debug)]
pub(super) enum Step {
    /// A request's head is complete; its exchange follows later.
    Asked(u64),
    /// An exchange is over.
    Exchange(Box<Messages>),
    /// A ClientHello was answered, or will not be.
    Handshake(Hellos),
    /// A lookup is over.
    Lookup(Box<dns::Found>),
    /// Something that was begun will not be given.
    Lost(Unit, Cause),
}

/// The exchange is over.
pub(super) fn give(mut messages: Box<Messages>, failure: Option<Failure>, steps: &mut Vec<Step>) {
    messages.failure = failure;
    steps.push(Step::Exchange(messages));
}
