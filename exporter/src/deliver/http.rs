//! OTLP/HTTP with protobuf bodies: an encoded request in, the collector's [`Answer`] out.
//!
//! Redirects are not followed: the headers may hold credentials that are
//! meant for one host.

use std::fs;
use std::io::Write;
use std::time::SystemTime;

use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Response};

use super::endpoint::{Compression, Endpoint};
use super::grpc::chain;
use super::retry::{self, Verdict};
use super::transport::{Answer, Error, USER_AGENT, accepted};

/// A response is read to here: `partial_success` is small, and a stranger chooses the length.
const RESPONSE_BYTES: usize = 64 << 10;

/// A client of one signal's URL.
#[derive(Debug, Clone)]
pub(super) struct Client {
    client: reqwest::Client,
    url: String,
    headers: HeaderMap,
    compression: Compression,
}

impl Client {
    /// Prepares the client; connects at the first request.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, Error> {
        let mut headers: HeaderMap = endpoint.headers.iter().cloned().collect();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        if endpoint.compression == Compression::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(Self {
            client: client(endpoint)?,
            url: endpoint.url.to_string(),
            headers,
            compression: endpoint.compression,
        })
    }

    /// Sends one request and waits for the answer.
    pub(super) async fn send(&self, body: Bytes) -> Answer {
        let body = match self.compression {
            Compression::Gzip => gzip(&body),
            Compression::None => body,
        };
        let request = self.client.post(&self.url).headers(self.headers.clone()).body(body);
        match request.send().await {
            Ok(response) => answer(response).await,
            Err(error) => Answer {
                verdict: Verdict::Retryable { after: None },
                detail: chain(&error.without_url()),
            },
        }
    }
}

/// A client with the TLS settings of `endpoint`.
pub(super) fn client(endpoint: &Endpoint) -> Result<reqwest::Client, Error> {
    // Another part of the process may have chosen a provider already; any will do.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder()
        .redirect(Policy::none())
        .timeout(endpoint.timeout)
        .user_agent(USER_AGENT);
    if let Some(path) = &endpoint.certificate {
        let pem = fs::read(path).map_err(|error| Error::unreadable(path, error))?;
        let authorities = Certificate::from_pem_bundle(&pem)
            .map_err(|error| Error::Client(format!("{}: {}", path.display(), chain(&error))))?;
        builder = builder.tls_certs_only(authorities);
    }
    builder.build().map_err(|error| Error::Client(chain(&error)))
}

async fn answer(response: Response) -> Answer {
    let status = response.status();
    if status.is_success() {
        let body = read(response).await;
        return accepted(ExportLogsServiceResponse::decode(body.as_ref()).unwrap_or_default());
    }
    let field = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = field.and_then(|field| retry::retry_after(field, SystemTime::now()));
    Answer { verdict: retry::http(status.as_u16(), after), detail: format!("HTTP {status}") }
}

/// The response's body, or as much of it as came: a status of 2xx is an acknowledgement by itself.
pub(super) async fn read(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > RESPONSE_BYTES {
            break;
        }
    }
    body
}

fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Level::fast());
    encoder.write_all(body).expect("a vector takes every write");
    encoder.finish().expect("a vector takes every write").into()
}
