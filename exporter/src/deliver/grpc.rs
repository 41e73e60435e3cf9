//! OTLP/gRPC: an encoded request in, the collector's [`Answer`] out.
//!
//! The only user of tonic's channel. Bodies pass through as they are: what the codec takes is
//! already protobuf. One HTTP/2 connection carries the requests of a signal; tonic opens it at the
//! first request and again whenever it broke.

use std::error::Error as _;
use std::fs;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::endpoint::{Compression, Endpoint};
use super::retry;
use super::transport::{Answer, Error, USER_AGENT, accepted};
use crate::export::Signal;

/// How long a connection with a request under way may be silent before it is tried by a PING
/// (RFC 9113 section 6.7): a collector whose host vanished is noticed by nothing else for minutes.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// A channel to the export service of one signal.
#[derive(Debug, Clone)]
pub(super) struct Client {
    channel: Channel,
    path: PathAndQuery,
    headers: MetadataMap,
    timeout: Duration,
    compression: Compression,
}

impl Client {
    /// Prepares the channel; connects at the first request. To be called inside a runtime.
    pub(super) fn new(endpoint: &Endpoint, signal: Signal) -> Result<Self, Error> {
        let path = match signal {
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        };
        Ok(Self {
            channel: channel(endpoint)?,
            path: PathAndQuery::from_static(path),
            headers: metadata(endpoint),
            timeout: endpoint.timeout,
            compression: endpoint.compression,
        })
    }

    /// Sends one request and waits for the answer.
    pub(super) async fn send(&self, body: Bytes) -> Answer {
        match self.call(body).await {
            Ok(response) => accepted(response),
            Err(status) => answer(&status),
        }
    }

    async fn call(&self, body: Bytes) -> Result<ExportLogsServiceResponse, Status> {
        let mut request = Request::new(body);
        *request.metadata_mut() = self.headers.clone();
        request.set_timeout(self.timeout);
        // A server may compress its answer as the request was (grpc-go does), whatever we accept.
        let mut grpc = Grpc::new(self.channel.clone()).accept_compressed(CompressionEncoding::Gzip);
        if self.compression == Compression::Gzip {
            grpc = grpc.send_compressed(CompressionEncoding::Gzip);
        }
        let lost = |error: tonic::transport::Error| Status::from_error(error.into());
        grpc.ready().await.map_err(lost)?;
        Ok(grpc.unary(request, self.path.clone(), EncodedCodec).await?.into_inner())
    }
}

/// What is sent with every request.
pub(super) fn metadata(endpoint: &Endpoint) -> MetadataMap {
    MetadataMap::from_headers(endpoint.headers.iter().cloned().collect())
}

/// A channel to `endpoint`, not yet connected. To be called inside a runtime.
pub(super) fn channel(endpoint: &Endpoint) -> Result<Channel, Error> {
    let url = endpoint.url.to_string();
    let mut target = Channel::from_shared(url)
        .map_err(|error| Error::Client(error.to_string()))?
        .user_agent(USER_AGENT)
        .map_err(|error| Error::Client(chain(&error)))?
        .connect_timeout(endpoint.timeout)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(endpoint.timeout);
    if endpoint.is_tls() {
        let tls = match &endpoint.certificate {
            Some(path) => {
                let pem = fs::read(path).map_err(|error| Error::unreadable(path, error))?;
                ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
            }
            None => ClientTlsConfig::new().with_enabled_roots(),
        };
        target = target.tls_config(tls).map_err(|error| Error::Client(chain(&error)))?;
    }
    Ok(target.connect_lazy())
}

/// A status with a source was made by this side because the connection failed; the collector's
/// own have none. A failed connection is retryable whatever code tonic gives it.
fn answer(status: &Status) -> Answer {
    let code = if status.source().is_some() { Code::Unavailable } else { status.code() };
    let after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let source = status.source().map(|error| format!(": {}", chain(error))).unwrap_or_default();
    Answer {
        verdict: retry::grpc(code, after),
        detail: format!("{code:?}: {}{source}", status.message()),
    }
}

/// An error with everything that caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Passes encoded requests through, and decodes the response. The responses of both signals are
/// alike: `partial_success` is field 1, its count and message are fields 1 and 2.
struct EncodedCodec;

impl Codec for EncodedCodec {
    type Encode = Bytes;
    type Decode = ExportLogsServiceResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for EncodedCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for EncodedCodec {
    type Item = ExportLogsServiceResponse;
    type Error = Status;

    /// A response that cannot be decoded still acknowledges the request.
    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        Ok(Some(ExportLogsServiceResponse::decode(buffer).unwrap_or_default()))
    }
}
