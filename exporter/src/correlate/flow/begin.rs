//! What a connection's bytes are: asked of its first bytes or, where they were missed, of segments,
//! until one of them tells.

use crate::flow::{Direction, Side, Timestamp, Tuple};
use crate::parse::Parsed;
use crate::parse::tls::is_application_data;

use super::super::recognise::{Kind, first_bytes, mid_stream, will_tell};
use super::{Flow, Protocol, Scope};

/// Segments of a connection joined in mid-stream that may pass before it is given up.
const PROBES_MAX: u32 = 16;
/// The same, where the connection began with a protocol that is not read.
const PROBES_AFTER_BEGIN: u32 = 8;

impl Flow {
    /// The first bytes of a direction of which nothing was missed.
    pub(super) fn begin(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Timestamp,
        scope: &mut Scope<'_>,
    ) {
        let side = self.side(direction);
        let (mut begun, since) = self.way_mut(direction).begun.take().unwrap_or((Vec::new(), at));
        begun.extend_from_slice(bytes);
        let server = if side == Side::Server { direction } else { direction.reversed() };
        let recognised = first_bytes(side, &begun, self.endpoint(server).port);
        self.way_mut(direction).begun = Some((begun, since));
        match recognised {
            Parsed::Message(kind) => self.start(kind, scope),
            Parsed::NeedMore => {}
            Parsed::NotThisProtocol => self.give_up_begin(scope),
        }
    }

    /// Reads what both directions have begun with.
    fn start(&mut self, kind: Kind, scope: &mut Scope<'_>) {
        self.protocol = kind.begun().map_or(Protocol::Other, Protocol::Known);
        let client = self.client.unwrap_or(Direction::LowToHigh);
        for direction in [client, client.reversed()] {
            if let Some((bytes, at)) = self.way_mut(direction).begun.take() {
                self.talk(direction, &bytes, at, scope);
            }
        }
    }

    /// A segment of a connection whose begin was missed.
    pub(super) fn join(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Timestamp,
        probes: u32,
        scope: &mut Scope<'_>,
    ) {
        let (mut begun, since) = self.way_mut(direction).begun.take().unwrap_or((Vec::new(), at));
        begun.extend_from_slice(bytes);
        let tuple = Tuple {
            source: self.endpoint(direction),
            destination: self.endpoint(direction.reversed()),
        };
        match mid_stream(&begun, tuple) {
            Parsed::Message((kind, side)) => {
                let client = if side == Side::Client { direction } else { direction.reversed() };
                self.client = Some(client);
                let lost = self.missed == Some(client);
                self.protocol = kind.joined(lost).map_or(Protocol::Other, Protocol::Known);
                self.talk(direction, &begun, since, scope);
            }
            Parsed::NeedMore => self.way_mut(direction).begun = Some((begun, since)),
            Parsed::NotThisProtocol if will_tell(&begun) => {}
            Parsed::NotThisProtocol if is_application_data(&begun) => {
                self.protocol = Protocol::Other;
            }
            Parsed::NotThisProtocol if probes < PROBES_MAX => {
                self.protocol = Protocol::Unknown(probes + 1);
            }
            Parsed::NotThisProtocol => self.protocol = Protocol::Other,
        }
    }

    /// The connection begins with another protocol, which may lead to one that is read: a proxy's
    /// handshake, say.
    pub(super) fn give_up_begin(&mut self, scope: &mut Scope<'_>) {
        self.whole = false;
        self.low_to_high.begun = None;
        self.high_to_low.begun = None;
        self.end_talk(Protocol::Unknown(PROBES_MAX - PROBES_AFTER_BEGIN), scope);
    }
}
