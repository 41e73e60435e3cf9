//! Log records and spans out of OTLP JSON lines, in a form that tests can ask.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Attributes by name; values as OTLP JSON has them, unwrapped.
pub type Attributes = BTreeMap<String, Value>;

/// A log record or a span.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Its own attributes.
    pub attributes: Attributes,
    /// Its resource's.
    pub resource: Attributes,
    /// The event's name, or the span's.
    pub name: String,
    /// 32 hexadecimal digits, or empty.
    pub trace_id: String,
    /// 16 hexadecimal digits, or empty.
    pub span_id: String,
    /// 16 hexadecimal digits, or empty.
    pub parent_span_id: String,
    /// The kind of a span: 2 server, 3 client.
    pub kind: u64,
    /// The whole record, for what is asked rarely.
    pub json: Value,
}

impl Record {
    /// An attribute of type string, or the first of several.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let value = self.attributes.get(name)?;
        value.as_array().map_or(Some(value), |values| values.first())?.as_str()
    }

    /// An attribute of type int.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.attributes.get(name)?.as_i64()
    }

    /// A resource attribute of type string.
    #[must_use]
    pub fn resource_text(&self, name: &str) -> Option<&str> {
        self.resource.get(name)?.as_str()
    }

    /// `process.pid`.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        u32::try_from(self.resource.get("process.pid")?.as_i64()?).ok()
    }

    /// `headertap.connection.role`.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.text("headertap.connection.role")
    }

    /// `url.path`, or the path of `url.full`.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.text("url.path").or_else(|| {
            let (_, rest) = self.text("url.full")?.split_once("://")?;
            let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
            path.split('?').next()
        })
    }

    /// The first value of a request header field.
    #[must_use]
    pub fn request_header(&self, name: &str) -> Option<&str> {
        self.text(&format!("http.request.header.{name}"))
    }

    /// The first value of a response header field.
    #[must_use]
    pub fn response_header(&self, name: &str) -> Option<&str> {
        self.text(&format!("http.response.header.{name}"))
    }

    /// `http.response.status_code`.
    #[must_use]
    pub fn status(&self) -> Option<i64> {
        self.number("http.response.status_code")
    }
}

/// Everything that was exported.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// The log records.
    pub logs: Vec<Record>,
    /// The spans.
    pub spans: Vec<Record>,
}

impl Records {
    /// Reads OTLP JSON lines; a last line that is not complete yet is left out.
    ///
    /// # Panics
    /// If the file holds something else.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
        let mut records = Self::default();
        for line in whole.lines() {
            let line: Value = serde_json::from_str(line).expect("a line is JSON");
            records.logs.extend(unpack(&line, ["resourceLogs", "scopeLogs", "logRecords"]));
            records.spans.extend(unpack(&line, ["resourceSpans", "scopeSpans", "spans"]));
        }
        records
    }

    /// Log records of HTTP exchanges with the server on this port.
    #[must_use]
    pub fn exchanges(&self, port: u16) -> Vec<&Record> {
        let exchange = self.logs.iter().filter(|log| log.name == "headertap.http.exchange");
        exchange.filter(|log| is_at(log, port)).collect()
    }

    /// Log records with this event name, of connections with the server on this port.
    #[must_use]
    pub fn events(&self, name: &str, port: u16) -> Vec<&Record> {
        self.logs.iter().filter(|log| log.name == name && is_at(log, port)).collect()
    }

    /// Spans of HTTP exchanges with the server on this port.
    #[must_use]
    pub fn spans_of(&self, port: u16) -> Vec<&Record> {
        self.spans.iter().filter(|span| is_at(span, port)).collect()
    }
}

/// Either end of the connection has the port: an exchange is always between a server's port and
/// an ephemeral one.
fn is_at(record: &Record, port: u16) -> bool {
    ["network.local.port", "network.peer.port", "server.port", "destination.port"]
        .iter()
        .any(|name| record.number(name) == Some(i64::from(port)))
}

fn unpack(line: &Value, [outer, middle, inner]: [&str; 3]) -> Vec<Record> {
    let mut records = Vec::new();
    for outer in items(&line[outer]) {
        let resource = attributes(&outer["resource"]["attributes"]);
        for record in items(&outer[middle]).flat_map(|middle| items(&middle[inner])) {
            records.push(read(record, &resource));
        }
    }
    records
}

fn read(json: &Value, resource: &Attributes) -> Record {
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    Record {
        attributes: attributes(&json["attributes"]),
        resource: resource.clone(),
        name: if json["eventName"].is_string() { text("eventName") } else { text("name") },
        trace_id: text("traceId"),
        span_id: text("spanId"),
        parent_span_id: text("parentSpanId"),
        kind: json["kind"].as_u64().unwrap_or_default(),
        json: json.clone(),
    }
}

fn items(array: &Value) -> impl Iterator<Item = &Value> {
    array.as_array().into_iter().flatten()
}

fn attributes(list: &Value) -> Attributes {
    items(list)
        .map(|entry| (entry["key"].as_str().unwrap_or_default().to_owned(), value(&entry["value"])))
        .collect()
}

/// The value that an `AnyValue` wraps; 64-bit numbers are strings in OTLP JSON.
fn value(any: &Value) -> Value {
    let Some((kind, inner)) = any.as_object().and_then(|object| object.iter().next()) else {
        return Value::Null;
    };
    match kind.as_str() {
        "intValue" => {
            let text = inner.as_str().map(str::parse::<i64>);
            text.and_then(Result::ok).map_or_else(|| inner.clone(), Value::from)
        }
        "arrayValue" => Value::Array(items(&inner["values"]).map(value).collect()),
        _ => inner.clone(),
    }
}
