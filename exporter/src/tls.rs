//! TLS hellos (RFC 8446 section 4.1, RFC 5246 section 7.4.1): what two sides say of themselves
//! before they encrypt, as the parser gives it and everything after it takes it. Owns no grammar.
//!
//! Numbers are kept as they were on the wire, in its order; [`names`] says what they are called.

pub mod names;

use crate::exchange::{Failure, View};
use crate::flow::{Endpoint, Side, Timestamp};

/// Extension types (RFC 8446 section 4.2) that are asked for by name.
pub mod extension {
    /// The server's name (RFC 6066 section 3).
    pub const SERVER_NAME: u16 = 0;
    /// The ticket of an earlier session (RFC 5077 section 3.2).
    pub const SESSION_TICKET: u16 = 35;
    /// Keys of earlier sessions, or of elsewhere (RFC 8446 section 4.2.11).
    pub const PRE_SHARED_KEY: u16 = 41;
    /// Data follow the ClientHello at once (RFC 8446 section 4.2.10).
    pub const EARLY_DATA: u16 = 42;
    /// An inner hello, or what looks like one (RFC 9849 section 5).
    pub const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
}

/// TLS 1.3 (RFC 8446 section 4.2.1).
pub const TLS13: u16 = 0x0304;

/// Whether a number is one of those that say nothing (RFC 8701 section 2).
#[must_use]
pub fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// A version, with the drafts of TLS 1.3 (RFC 8446 section 4.2.1.1) for TLS 1.3.
#[must_use]
pub fn is_tls13(version: u16) -> bool {
    version == TLS13 || version >> 8 == 0x7f
}

/// What a client offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientHello {
    /// The version before there was an extension for it.
    pub legacy_version: u16,
    /// The session to be resumed, or in TLS 1.3 anything.
    pub session_id: Vec<u8>,
    /// Cipher suites.
    pub cipher_suites: Vec<u16>,
    /// Extension types.
    pub extensions: Vec<u16>,
    /// The server's name (RFC 6066 section 3).
    pub server_name: Option<Vec<u8>>,
    /// Protocols that may follow (RFC 7301 section 3.1).
    pub alpn: Vec<Vec<u8>>,
    /// Versions.
    pub supported_versions: Vec<u16>,
    /// Groups for the key exchange.
    pub supported_groups: Vec<u16>,
    /// Point formats (RFC 8422 section 5.1.2).
    pub point_formats: Vec<u8>,
    /// Signature schemes.
    pub signature_algorithms: Vec<u16>,
    /// A ticket is shown, not only asked for (RFC 5077 section 3.2).
    pub shows_ticket: bool,
    /// Its extensions break their grammar; those before are there.
    pub is_malformed: bool,
    /// The JA3 fingerprint: MD5 in hexadecimal; `None` if it is malformed.
    pub ja3: Option<String>,
    /// The JA4 fingerprint; `None` if it is malformed.
    pub ja4: Option<String>,
    /// When it was received.
    pub timing: Timing,
}

impl ClientHello {
    /// Whether the extension is there.
    #[must_use]
    pub fn has(&self, extension: u16) -> bool {
        self.extensions.contains(&extension)
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn cost(&self) -> usize {
        let numbers = self.cipher_suites.len()
            + self.extensions.len()
            + self.supported_versions.len()
            + self.supported_groups.len()
            + self.signature_algorithms.len();
        let names = self.alpn.iter().map(|name| size_of::<Vec<u8>>() + name.len());
        let name = self.server_name.as_ref().map_or(0, Vec::len);
        size_of::<Self>() + 2 * numbers + names.sum::<usize>() + name
    }

    /// Whether a session or a key of earlier is shown, so that the server may resume.
    #[must_use]
    pub fn offers_resumption(&self) -> bool {
        let is_tls13 = self.supported_versions.iter().any(|version| is_tls13(*version));
        self.shows_ticket
            || self.has(extension::PRE_SHARED_KEY)
            || !is_tls13 && !self.session_id.is_empty()
    }
}

/// What a server chose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerHello {
    /// The version, unless an extension says it.
    pub legacy_version: u16,
    /// The session's id, or in TLS 1.3 the client's.
    pub session_id: Vec<u8>,
    /// The cipher suite.
    pub cipher_suite: u16,
    /// Extension types.
    pub extensions: Vec<u16>,
    /// The version, where an extension says it.
    pub selected_version: Option<u16>,
    /// The group of the key exchange, where an extension says it.
    pub selected_group: Option<u16>,
    /// The protocol that follows; TLS 1.3 encrypts it.
    pub alpn: Option<Vec<u8>>,
    /// It is a HelloRetryRequest (RFC 8446 section 4.1.4): the client is to ask again.
    pub is_retry: bool,
    /// Its extensions break their grammar; those before are there.
    pub is_malformed: bool,
    /// The JA3S fingerprint: MD5 in hexadecimal; `None` if it is malformed.
    pub ja3s: Option<String>,
    /// When it was received.
    pub timing: Timing,
}

impl ServerHello {
    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn cost(&self) -> usize {
        size_of::<Self>() + 2 * self.extensions.len() + self.alpn.as_ref().map_or(0, Vec::len)
    }

    /// The version that both will speak.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.selected_version.unwrap_or(self.legacy_version)
    }
}

/// When a hello was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// Capture time of the segment with its first byte.
    pub first_byte: Timestamp,
    /// Capture time of the segment with its last byte.
    pub complete: Timestamp,
}

/// An alert that is not encrypted (RFC 8446 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alert {
    /// Who sent it.
    pub sender: Side,
    /// How bad it is.
    pub level: u8,
    /// What it is about.
    pub description: u8,
    /// When it was received.
    pub at: Timestamp,
}

impl Alert {
    /// Whether it ends the connection: its level says so, or it is `close_notify`.
    #[must_use]
    pub fn is_final(&self) -> bool {
        const FATAL: u8 = 2;
        const CLOSE_NOTIFY: u8 = 0;
        self.level == FATAL || self.description == CLOSE_NOTIFY
    }
}

/// A ClientHello and what answered it. A client that is asked to try again has two.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// The endpoint that sends ClientHello.
    pub client: Endpoint,
    /// The endpoint that answers it.
    pub server: Endpoint,
    /// The ClientHello; `None` where only the answer was captured.
    pub client_hello: Option<ClientHello>,
    /// The ServerHello or HelloRetryRequest; `None` where there was none, or it was not captured.
    pub server_hello: Option<ServerHello>,
    /// An alert between or in place of the two.
    pub alert: Option<Alert>,
    /// Why there is no answer.
    pub failure: Option<Failure>,
    /// headertap joined the connection in mid-stream.
    pub truncated_start: bool,
    /// Policy cut lists short.
    pub lists_cut: bool,
    /// When user space read the event that completed it.
    pub observed: Timestamp,
    /// One view for each end on this host, or a single observer.
    pub views: Vec<View>,
}

impl Handshake {
    /// When it began: the first byte seen of it.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        let hello = self.client_hello.as_ref().map(|hello| hello.timing.first_byte);
        let answer = self.server_hello.as_ref().map(|hello| hello.timing.first_byte);
        hello.or(answer).or(self.alert.map(|alert| alert.at)).unwrap_or(self.observed)
    }

    /// From the whole ClientHello to the whole answer, in nanoseconds.
    #[must_use]
    pub fn duration_ns(&self) -> Option<u64> {
        let hello = self.client_hello.as_ref()?;
        let answer = self.server_hello.as_ref().map(|hello| hello.timing.complete);
        let end = answer.or(self.alert.map(|alert| alert.at))?;
        Some(end.since(hello.timing.complete))
    }

    /// Whether an earlier session goes on; `None` where the hellos do not tell.
    #[must_use]
    pub fn resumed(&self) -> Option<bool> {
        let answer = self.server_hello.as_ref().filter(|answer| !answer.is_retry)?;
        if is_tls13(answer.version()) {
            return Some(answer.extensions.contains(&extension::PRE_SHARED_KEY));
        }
        let hello = self.client_hello.as_ref()?;
        let is_same = !hello.session_id.is_empty() && hello.session_id == answer.session_id;
        // A ticket is answered by the session's id only where the client gave one to echo
        // (RFC 5077 section 3.4).
        (is_same || !hello.session_id.is_empty() || !hello.shows_ticket).then_some(is_same)
    }

    /// The alert that ended the handshake, if one did.
    #[must_use]
    pub fn fatal_alert(&self) -> Option<Alert> {
        self.alert.filter(|alert| self.server_hello.is_none() && alert.is_final())
    }
}

#[cfg(test)]
mod tests;
