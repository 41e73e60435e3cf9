//! From a connection's messages to an [`Exchange`]: who took part, and under which trace.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::dns::{Lookup, Transport};
use crate::exchange::{Dropped, Exchange, Role, View};
use crate::flow::{Direction, Side};
use crate::stats::{Outcome, Unit};

use super::super::Found;
use super::super::dns;
use super::super::messages::{Messages, Step};
use super::super::trace::{Ends, Place, Trace, Tracer};
use super::{Flow, Protocol, Scope};

impl Flow {
    fn place(&self, index: u64, client: Direction) -> Place {
        Place {
            client: self.endpoint(client),
            server: self.endpoint(client.reversed()),
            start: self.start,
            index: self.first_index + index,
        }
    }

    /// Gives what the conversation found.
    pub(super) fn step(&mut self, step: Step, client: Direction, scope: &mut Scope<'_>) {
        let account = &scope.shared.account;
        match step {
            Step::Asked(index) => self.asked(index, client, scope),
            Step::Exchange(messages) => {
                account.seen(Unit::Http, 1);
                let exchange = self.exchange(*messages, client, scope);
                scope.found.push(Found::Exchange(Box::new(exchange)));
            }
            Step::Handshake(hellos) => {
                account.seen(Unit::Tls, 1);
                let handshake = self.handshake(hellos, client, scope);
                scope.found.push(Found::Handshake(Box::new(handshake)));
            }
            Step::Lookup(found) => {
                account.seen(Unit::Dns, 1);
                let lookup = self.lookup(*found, client, scope);
                scope.found.push(Found::Lookup(Box::new(lookup)));
            }
            Step::Lost(unit, cause) => {
                account.seen(unit, 1);
                account.settle(unit, Outcome::Lost(cause), 1);
            }
        }
    }

    /// A request was asked: whose child it is is decided now, and what a process of this host
    /// sends on is its child.
    pub(super) fn asked(&mut self, index: u64, client: Direction, scope: &mut Scope<'_>) {
        let place = self.place(index, client);
        let mut protocol = std::mem::replace(&mut self.protocol, Protocol::Other);
        if let Protocol::Known(conversation) = &mut protocol
            && let Some(messages) = conversation.waiting(index)
        {
            let ends = self.ends(client);
            let request = messages.request.as_ref();
            messages.trace = Some(scope.shared.tracer.trace(request, &place, ends));
        }
        self.protocol = protocol;
    }

    pub(super) fn exchange(
        &self,
        messages: Messages,
        client: Direction,
        scope: &mut Scope<'_>,
    ) -> Exchange {
        let place = self.place(messages.index, client);
        let ends = self.ends(client);
        let tracer = &mut scope.shared.tracer;
        let trace =
            messages.trace.unwrap_or_else(|| tracer.trace(messages.request.as_ref(), &place, ends));
        tracer.close(&trace, ends.server);
        Exchange {
            client: place.client,
            server: place.server,
            index: place.index,
            stream_id: messages.stream_id,
            views: self.views(client, &trace, &place, scope),
            request: messages.request,
            request_end: messages.request_end,
            response: messages.response,
            response_end: messages.response_end,
            interim: messages.interim,
            failure: messages.failure,
            duplicate_traceparent: trace.duplicate,
            truncated_start: !self.whole,
            observed: scope.observed,
            dropped: Dropped::default(),
        }
    }

    fn lookup(&self, found: dns::Found, client: Direction, scope: &Scope<'_>) -> Lookup {
        let client = if found.client == Side::Client { client } else { client.reversed() };
        Lookup {
            client: self.endpoint(client),
            server: self.endpoint(client.reversed()),
            protocol: found.protocol,
            transport: Transport::Tcp,
            query: found.query,
            response: found.response,
            failure: found.failure,
            is_repeated: found.is_repeated,
            observed: scope.observed,
            views: self.views_without_span(client, scope),
        }
    }

    fn ends(&self, client: Direction) -> Ends<'_> {
        let process = |direction| self.sender(direction).map(|end| &*end.process);
        Ends { client: process(client), server: process(client.reversed()) }
    }

    /// One view for each end on this host, or an observer's.
    fn views(
        &self,
        client: Direction,
        trace: &Trace,
        place: &Place,
        scope: &Scope<'_>,
    ) -> Vec<View> {
        let mut views = Vec::with_capacity(2);
        let mut client_span = None;
        if let Some(end) = self.sender(client) {
            let span = Tracer::client(trace, place, &end.process);
            client_span = Some(span);
            views.push(end.view(Role::Client, span));
        }
        if let Some(end) = self.sender(client.reversed()) {
            let span = Tracer::server(trace, place, &end.process, client_span.as_ref());
            views.push(end.view(Role::Server, span));
        }
        if views.is_empty() {
            let nobody = scope.shared.nobody.clone();
            views.push(View::of_observer(nobody, Tracer::observer(trace), self.id()));
        }
        views
    }
    /// The connection's id where no socket of this host gives it one: what it is between, and when
    /// it was first seen.
    pub(super) fn id(&self) -> u64 {
        let mut hasher = FxHasher::default();
        (self.key, self.start).hash(&mut hasher);
        hasher.finish()
    }
}
