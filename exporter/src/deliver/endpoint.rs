//! Where to send and how: the OpenTelemetry environment variables in, one [`Endpoint`] a signal out.
//!
//! Follows the specification's "OpenTelemetry Protocol Exporter" page: a per-signal variable wins
//! over the general one, an empty value is an unset one, and only a general HTTP endpoint gets the
//! signal's path appended. Reads no environment and no file itself.
//!
//! One choice is ours: without `OTEL_EXPORTER_OTLP_PROTOCOL`, an endpoint on port 4317 is spoken to
//! in gRPC and every other one in `http/protobuf`, which is the specification's default.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

/// Without `OTEL_EXPORTER_OTLP_ENDPOINT`: the specification's default for `http/protobuf`.
const DEFAULT_HTTP: &str = "http://localhost:4318";
/// Without `OTEL_EXPORTER_OTLP_ENDPOINT` and with the protocol `grpc`: the specification's default.
const DEFAULT_GRPC: &str = "http://localhost:4317";
/// IANA's port of OTLP over gRPC.
const GRPC_PORT: u16 = 4317;
/// Without `OTEL_EXPORTER_OTLP_TIMEOUT`: the specification's default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How OTLP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    HttpProtobuf,
}

/// How request bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
}

/// Where one signal goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// How OTLP is carried.
    pub protocol: Protocol,
    /// The URL to post to; for gRPC only its scheme and authority count.
    pub url: Uri,
    /// Sent with every request; may hold credentials, so never printed.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How bodies are compressed.
    pub compression: Compression,
    /// A PEM file with the certificate authorities to trust in place of the system's.
    pub certificate: Option<PathBuf>,
}

impl Endpoint {
    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url.scheme_str() == Some("https")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Endpoint")
            .field("protocol", &self.protocol)
            .field("url", &self.url)
            .field("headers", &names)
            .field("timeout", &self.timeout)
            .field("compression", &self.compression)
            .field("certificate", &self.certificate)
            .finish()
    }
}

/// Where each signal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Observed exchanges and connections as log records, and headertap's own logs.
    pub logs: Endpoint,
    /// Observed exchanges as spans.
    pub traces: Endpoint,
    /// headertap's own metrics.
    pub metrics: Endpoint,
}

/// An environment variable that does not mean anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}={value}: {allowed}")]
pub struct Error {
    /// The variable's name.
    pub variable: String,
    /// Its value; left out where it may be a credential.
    pub value: String,
    /// What is wrong with it, or what would be right.
    pub allowed: &'static str,
}

impl Endpoints {
    /// Reads every variable through `lookup`, which gives a variable's value or `None`.
    ///
    /// # Errors
    /// [`Error`] names the first variable whose value is not allowed, and what is.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let of = |signal, path| Variables { lookup: &lookup, signal, path }.endpoint();
        Ok(Self {
            logs: of("LOGS", "v1/logs")?,
            traces: of("TRACES", "v1/traces")?,
            metrics: of("METRICS", "v1/metrics")?,
        })
    }
}

/// A variable that is set.
struct Setting {
    name: String,
    value: String,
    /// It is the signal's own variable, not the general one.
    own: bool,
}

impl Setting {
    fn refuse(&self, allowed: &'static str) -> Error {
        Error { variable: self.name.clone(), value: self.value.clone(), allowed }
    }
}

/// The variables of one signal.
struct Variables<'a, F> {
    lookup: &'a F,
    signal: &'static str,
    path: &'static str,
}

impl<F: Fn(&str) -> Option<String>> Variables<'_, F> {
    fn endpoint(&self) -> Result<Endpoint, Error> {
        let (protocol, url) = self.target()?;
        Ok(Endpoint {
            protocol,
            url,
            headers: self.headers()?,
            timeout: self.timeout()?,
            compression: self.compression()?,
            certificate: self.get("CERTIFICATE").map(|setting| PathBuf::from(setting.value)),
        })
    }

    fn get(&self, what: &str) -> Option<Setting> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{what}", self.signal);
        let general = format!("OTEL_EXPORTER_OTLP_{what}");
        [(own, true), (general, false)].into_iter().find_map(|(name, own)| {
            let value = (self.lookup)(&name)?.trim().to_owned();
            (!value.is_empty()).then_some(Setting { name, value, own })
        })
    }

    fn protocol(&self) -> Result<Option<Protocol>, Error> {
        let Some(setting) = self.get("PROTOCOL") else { return Ok(None) };
        match setting.value.as_str() {
            "grpc" => Ok(Some(Protocol::Grpc)),
            "http/protobuf" => Ok(Some(Protocol::HttpProtobuf)),
            _ => Err(setting.refuse("must be grpc or http/protobuf")),
        }
    }

    fn target(&self) -> Result<(Protocol, Uri), Error> {
        let chosen = self.protocol()?;
        let setting = self.get("ENDPOINT").unwrap_or_else(|| Setting {
            name: "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
            value: if chosen == Some(Protocol::Grpc) { DEFAULT_GRPC } else { DEFAULT_HTTP }.into(),
            own: false,
        });
        let url = self.url(&setting, chosen)?;
        let implied = match url.port_u16() {
            Some(GRPC_PORT) => Protocol::Grpc,
            _ => Protocol::HttpProtobuf,
        };
        let protocol = chosen.unwrap_or(implied);
        let url = match protocol {
            Protocol::HttpProtobuf if !setting.own => self.with_signal_path(&setting, &url)?,
            _ => url,
        };
        Ok((protocol, url))
    }

    fn url(&self, setting: &Setting, chosen: Option<Protocol>) -> Result<Uri, Error> {
        const ALLOWED: &str = "must be a URL such as http://localhost:4318 or https://host:4317";
        let text = match (setting.value.contains("://"), chosen) {
            (false, Some(Protocol::Grpc)) => format!("{}://{}", self.scheme()?, setting.value),
            _ => setting.value.clone(),
        };
        let url: Uri = text.parse().map_err(|_| setting.refuse(ALLOWED))?;
        let known = matches!(url.scheme_str(), Some("http" | "https"));
        match url.host() {
            Some(host) if known && !host.is_empty() => Ok(url),
            _ => Err(setting.refuse(ALLOWED)),
        }
    }

    /// The scheme of a gRPC endpoint that is given as `host:port`.
    fn scheme(&self) -> Result<&'static str, Error> {
        let Some(setting) = self.get("INSECURE") else { return Ok("https") };
        match setting.value.to_ascii_lowercase().as_str() {
            "true" => Ok("http"),
            "false" => Ok("https"),
            _ => Err(setting.refuse("must be true or false")),
        }
    }

    fn with_signal_path(&self, setting: &Setting, base: &Uri) -> Result<Uri, Error> {
        let text = format!("{}/{}", base.to_string().trim_end_matches('/'), self.path);
        if base.query().is_some() {
            return Err(setting.refuse("must not have a query: the signal's path is appended"));
        }
        text.parse().map_err(|_| setting.refuse("must be a URL to which a path can be appended"))
    }

    fn timeout(&self) -> Result<Duration, Error> {
        let Some(setting) = self.get("TIMEOUT") else { return Ok(DEFAULT_TIMEOUT) };
        match setting.value.parse() {
            Ok(ms @ 1..=3_600_000) => Ok(Duration::from_millis(ms)),
            _ => Err(setting.refuse("must be a number of milliseconds from 1 to 3600000")),
        }
    }

    fn compression(&self) -> Result<Compression, Error> {
        let Some(setting) = self.get("COMPRESSION") else { return Ok(Compression::None) };
        match setting.value.as_str() {
            "gzip" => Ok(Compression::Gzip),
            "none" => Ok(Compression::None),
            _ => Err(setting.refuse("must be gzip or none")),
        }
    }

    /// `name=value,name=value` with percent-encoded values (W3C Baggage section 3.2.1).
    fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
        let Some(setting) = self.get("HEADERS") else { return Ok(Vec::new()) };
        let pairs = setting.value.split(',').filter(|pair| !pair.trim().is_empty());
        pairs
            .map(|pair| {
                header(pair).ok_or_else(|| Error {
                    variable: setting.name.clone(),
                    value: "(not shown)".to_owned(),
                    allowed: "must be name=value,name=value with percent-encoded values",
                })
            })
            .collect()
    }
}

fn header(pair: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = pair.split_once('=')?;
    let value: Vec<u8> = percent_decode_str(value.trim()).collect();
    let mut value = HeaderValue::from_bytes(&value).ok()?;
    value.set_sensitive(true);
    Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, value))
}

#[cfg(test)]
mod tests;
