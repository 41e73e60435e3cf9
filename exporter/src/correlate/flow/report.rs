//! From a connection's messages to an [`Exchange`]: who took part, and under which trace.

use crate::exchange::{Dropped, Exchange, Role, View};
use crate::flow::Direction;

use super::super::messages::Messages;
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
            stream_id: None,
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
            views.push(View {
                role: Role::Observer,
                process: scope.shared.nobody.clone(),
                span: Tracer::observer(trace),
                socket_cookie: 0,
                netns_inode: 0,
                connection_id: 0,
            });
        }
        views
    }
}
