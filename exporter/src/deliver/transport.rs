//! The two carriers of OTLP behind one method: a request body in, the collector's answer out.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;

use super::endpoint::{Endpoint, Protocol};
use super::retry::Verdict;
use super::{grpc, http};
use crate::export::Signal;

/// What requests say about who sends them.
pub(super) const USER_AGENT: &str = concat!("headertap/", env!("CARGO_PKG_VERSION"));

/// Why no client can be made for an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `OTEL_EXPORTER_OTLP_CERTIFICATE` names a file that cannot be read.
    #[error("OTEL_EXPORTER_OTLP_CERTIFICATE: {path}: {source}", path = path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error("cannot set up the OTLP client: {0}")]
    Client(String),
}

impl Error {
    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::Certificate { path: path.to_owned(), source }
    }
}

/// What the collector answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// What it means for the batch.
    pub(super) verdict: Verdict,
    /// What it said, for people; empty if all is well.
    pub(super) detail: String,
}

/// The answer in a response that acknowledges the request.
pub(super) fn accepted(response: ExportLogsServiceResponse) -> Answer {
    let partial = response.partial_success.unwrap_or_default();
    // A negative count is nonsense; nothing was said to be rejected.
    let rejected = u64::try_from(partial.rejected_log_records).unwrap_or(0);
    Answer { verdict: Verdict::Accepted { rejected }, detail: partial.error_message }
}

/// How one signal's requests are sent.
#[derive(Debug)]
pub(super) struct Transport {
    client: Client,
    timeout: Duration,
}

#[derive(Debug)]
enum Client {
    Grpc(grpc::Client),
    Http(http::Client),
}

impl Transport {
    /// Prepares the client of `signal`. To be called inside a runtime.
    pub(super) fn new(endpoint: &Endpoint, signal: Signal) -> Result<Self, Error> {
        let client = match endpoint.protocol {
            Protocol::Grpc => Client::Grpc(grpc::Client::new(endpoint, signal)?),
            Protocol::HttpProtobuf => Client::Http(http::Client::new(endpoint)?),
        };
        Ok(Self { client, timeout: endpoint.timeout })
    }

    /// Sends one request. No answer within the endpoint's timeout is an answer too: try again.
    pub(super) async fn send(&self, body: Vec<u8>) -> Answer {
        let sent = async {
            match &self.client {
                Client::Grpc(client) => client.send(body.into()).await,
                Client::Http(client) => client.send(body.into()).await,
            }
        };
        tokio::time::timeout(self.timeout, sent).await.unwrap_or_else(|_| Answer {
            verdict: Verdict::Retryable { after: None },
            detail: format!("no answer within {:?}", self.timeout),
        })
    }
}
