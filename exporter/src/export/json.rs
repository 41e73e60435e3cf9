//! The body of an OTLP request in, one line of OTLP JSON out, in the form that the Collector's
//! file exporter writes and its `otlpjsonfile` receiver reads.
//!
//! `opentelemetry-proto` gives hexadecimal ids, 64-bit numbers as strings and camelCase names, as
//! the mapping asks, but also writes every field that has its default value, and `null` for a
//! message that is not there. Those are left out here.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::{Value, to_value};

use super::Signal;

/// Why a request was not told as JSON. It is of no use to try again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not a request of the signal.
    #[error("not an OTLP request")]
    NotARequest(#[from] prost::DecodeError),
    /// The message has no form in JSON.
    #[error("no JSON for the request")]
    NoJson(#[from] serde_json::Error),
}

/// The request as one line of JSON, without the line's end.
///
/// # Errors
/// If `request` is not the body of a request of `signal`.
pub fn line(signal: Signal, request: &[u8]) -> Result<String, Error> {
    let mut json = match signal {
        Signal::Logs => to_value(ExportLogsServiceRequest::decode(request)?)?,
        Signal::Traces => to_value(ExportTraceServiceRequest::decode(request)?)?,
    };
    leave_out_defaults(&mut json);
    Ok(json.to_string())
}

/// Takes away the fields that say what their absence says. The members of an `AnyValue` are
/// different: there the presence says which one it is.
fn leave_out_defaults(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            fields.retain(|name, value| is_any_value(name) || !is_default(name, value));
            fields.values_mut().for_each(leave_out_defaults);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_defaults),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_any_value(field: &str) -> bool {
    matches!(field, "stringValue" | "boolValue" | "intValue" | "arrayValue" | "values")
}

fn is_default(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(yes) => !yes,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty() || (text == "0" && name.ends_with("UnixNano")),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) => false,
    }
}
