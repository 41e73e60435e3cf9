//! The exporters of headertap's own logs and metrics: opentelemetry-otlp's, on the carriers of this
//! stage, so that one setting of TLS, headers and compression holds for everything that is sent.

use std::collections::HashMap;
use std::fmt::Display;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    Compression as Otlp, LogExporter, MetricExporter, Protocol as Wire, WithExportConfig,
    WithHttpConfig, WithTonicConfig,
};
use tokio::runtime::Handle;

use super::endpoint::{Compression, Endpoint, Protocol};
use super::transport::Error;
use super::{grpc, http};

/// Builds the exporter of headertap's own logs. To be called inside a runtime.
pub(crate) fn log_exporter(endpoint: &Endpoint) -> Result<LogExporter, Error> {
    let builder = LogExporter::builder();
    match endpoint.protocol {
        Protocol::Grpc => over_grpc(builder.with_tonic(), endpoint)?.build(),
        Protocol::HttpProtobuf => over_http(builder.with_http(), endpoint)?.build(),
    }
    .map_err(unbuilt)
}

/// Builds the exporter of headertap's own metrics. To be called inside a runtime.
pub(crate) fn metric_exporter(endpoint: &Endpoint) -> Result<MetricExporter, Error> {
    let builder = MetricExporter::builder();
    match endpoint.protocol {
        Protocol::Grpc => over_grpc(builder.with_tonic(), endpoint)?.build(),
        Protocol::HttpProtobuf => over_http(builder.with_http(), endpoint)?.build(),
    }
    .map_err(unbuilt)
}

fn unbuilt(error: impl Display) -> Error {
    Error::Client(error.to_string())
}

fn over_grpc<B>(builder: B, endpoint: &Endpoint) -> Result<B, Error>
where
    B: WithTonicConfig + WithExportConfig,
{
    let builder = builder
        .with_channel(grpc::channel(endpoint)?)
        .with_metadata(grpc::metadata(endpoint))
        .with_timeout(endpoint.timeout);
    Ok(match endpoint.compression {
        Compression::Gzip => builder.with_compression(Otlp::Gzip),
        Compression::None => builder,
    })
}

fn over_http<B>(builder: B, endpoint: &Endpoint) -> Result<B, Error>
where
    B: WithHttpConfig + WithExportConfig,
{
    let text = |value: &::http::HeaderValue| value.to_str().map(str::to_owned).ok();
    let headers: HashMap<_, _> = endpoint
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), text(value)?)))
        .collect();
    let client = OnRuntime { client: http::client(endpoint)?, runtime: Handle::current() };
    let builder = builder
        .with_http_client(client)
        .with_headers(headers)
        .with_protocol(Wire::HttpBinary)
        .with_endpoint(endpoint.url.to_string())
        .with_timeout(endpoint.timeout);
    Ok(match endpoint.compression {
        Compression::Gzip => builder.with_compression(Otlp::Gzip),
        Compression::None => builder,
    })
}

/// Runs requests on the runtime: the SDK's own threads, which ask for them, have none.
#[derive(Debug)]
struct OnRuntime {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let client = self.client.clone();
        let exchange = async move {
            let response = client.execute(request).await?;
            let status = response.status();
            let mut answer = Response::new(Bytes::from(http::read(response).await));
            *answer.status_mut() = status;
            Ok::<_, reqwest::Error>(answer)
        };
        Ok(self.runtime.spawn(exchange).await??)
    }
}
