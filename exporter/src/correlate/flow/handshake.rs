//! From a connection's hellos to a [`Handshake`]: who took part.

use crate::exchange::{Role, SpanContext, View};
use crate::flow::{Direction, Side};
use crate::tls::Handshake;

use super::super::tls::Hellos;
use super::{Flow, Scope};

impl Flow {
    /// `client`: the direction from the side that opened the connection.
    pub(super) fn handshake(
        &self,
        hellos: Hellos,
        client: Direction,
        scope: &Scope<'_>,
    ) -> Handshake {
        let client = if hellos.caller == Side::Client { client } else { client.reversed() };
        Handshake {
            client: self.endpoint(client),
            server: self.endpoint(client.reversed()),
            client_hello: hellos.client_hello.map(|hello| *hello),
            server_hello: hellos.server_hello.map(|hello| *hello),
            alert: hellos.alert,
            failure: hellos.failure,
            truncated_start: !self.whole,
            lists_cut: false,
            observed: scope.observed,
            views: self.views_without_span(client, scope),
        }
    }

    /// One view for each end on this host, or an observer's, of what makes no span.
    pub(super) fn views_without_span(&self, client: Direction, scope: &Scope<'_>) -> Vec<View> {
        let ends = [(client, Role::Client), (client.reversed(), Role::Server)];
        let of_end =
            |(direction, role)| Some(self.sender(direction)?.view(role, SpanContext::default()));
        let mut views: Vec<View> = ends.into_iter().filter_map(of_end).collect();
        if views.is_empty() {
            let nobody = scope.shared.nobody.clone();
            views.push(View::of_observer(nobody, SpanContext::default(), self.id()));
        }
        views
    }
}
