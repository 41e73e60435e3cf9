//! What a process says of itself to OpenTelemetry: its environment and memory map in, service
//! attributes and whether an SDK is active out.
//!
//! An SDK is taken to be active if one of these holds, and neither `OTEL_SDK_DISABLED=true` nor
//! `OTEL_TRACES_EXPORTER=none` is set:
//!
//! * the environment names an exporter of traces: an OTLP endpoint for all signals or for
//!   traces, or `OTEL_TRACES_EXPORTER`;
//! * the environment loads an agent into the runtime (Java, Node.js, Python, .NET);
//! * the memory map shows an agent, a module of the C++ SDK, or the `OTEL_CTX` mapping by which
//!   SDKs publish their resource (OTEP 4719).
//!
//! `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` prove nothing: they are often set for
//! every process of a host. An exporter that a child inherits without using it is believed: its
//! spans are missing then, its log records are not.

/// Variables that name where traces go.
const EXPORTERS: [&str; 3] =
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER"];

/// Variables that load an agent, with what is in their value then.
const AGENT_VARIABLES: [(&str, &str); 5] = [
    ("JAVA_TOOL_OPTIONS", "opentelemetry-javaagent"),
    ("JDK_JAVA_OPTIONS", "opentelemetry-javaagent"),
    ("NODE_OPTIONS", "@opentelemetry/"),
    ("PYTHONPATH", "opentelemetry/instrumentation/auto_instrumentation"),
    // The profiler of opentelemetry-dotnet-instrumentation.
    ("CORECLR_PROFILER", "{918728DD-259F-4A6A-AC2B-B85E1B658318}"),
];

/// What the name of a mapping has in it if an SDK is loaded.
const MAPPINGS: [&str; 7] = [
    "opentelemetry-javaagent",
    "OpenTelemetry.AutoInstrumentation",
    "libopentelemetry",
    "ngx_otel_module",
    "otel_ngx_module",
    "/memfd:OTEL_CTX",
    "[anon_shmem:OTEL_CTX]",
];

/// The variables of a process, as `/proc/<pid>/environ` has them.
pub(super) struct Environment<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Environment<'a> {
    /// Takes `NAME=value` parts that end in NUL; parts that are not UTF-8 are left out.
    pub(super) fn new(environ: &'a [u8]) -> Self {
        let parts = environ.split(|b| *b == 0).filter_map(|part| str::from_utf8(part).ok());
        Self(parts.filter_map(|part| part.split_once('=')).collect())
    }

    /// The value of a variable that is set and not empty.
    fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(n, value)| *n == name && !value.trim().is_empty())?;
        Some(value.trim())
    }

    /// `OTEL_SERVICE_NAME`, which wins over `service.name` in `OTEL_RESOURCE_ATTRIBUTES`.
    pub(super) fn service_name(&self) -> Option<String> {
        self.get("OTEL_SERVICE_NAME").map(str::to_owned)
    }

    /// The pairs of `OTEL_RESOURCE_ATTRIBUTES`, decoded. If one is malformed there are none, as
    /// the resource specification has it.
    pub(super) fn resource_attributes(&self) -> Vec<(String, String)> {
        let pairs = self.get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default().split(',');
        let pairs = pairs.filter(|pair| !pair.trim().is_empty());
        let decoded = pairs.map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((percent_decode(key.trim())?, percent_decode(value.trim())?))
        });
        decoded.collect::<Option<_>>().unwrap_or_default()
    }

    /// Whether the environment says that an SDK is active; `None` if the memory map may tell.
    pub(super) fn instrumented(&self) -> Option<bool> {
        let is = |name, value: &str| self.get(name).is_some_and(|v| v.eq_ignore_ascii_case(value));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Some(false);
        }
        let loads =
            |(name, agent): &(&str, &str)| self.get(name).is_some_and(|v| v.contains(agent));
        let exports = EXPORTERS.iter().any(|name| self.get(name).is_some());
        (exports || AGENT_VARIABLES.iter().any(loads)).then_some(true)
    }
}

/// Whether a line of `/proc/<pid>/maps` shows an SDK.
pub(super) fn mapping_shows_sdk(line: &str) -> bool {
    MAPPINGS.iter().any(|name| line.contains(name))
}

/// `text` with its escapes decoded; `None` if one is malformed or the result is not UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{Environment, mapping_shows_sdk};

    fn instrumented(environ: &str) -> Option<bool> {
        Environment::new(environ.as_bytes()).instrumented()
    }

    fn attributes(value: &str) -> Vec<(String, String)> {
        let environ = format!("OTEL_RESOURCE_ATTRIBUTES={value}");
        Environment::new(environ.as_bytes()).resource_attributes()
    }

    #[test]
    fn an_exporter_or_an_agent_in_the_environment_proves_an_sdk() {
        for environ in [
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317",
            "A=b\0OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=x\0",
            "OTEL_TRACES_EXPORTER=otlp",
            "JAVA_TOOL_OPTIONS=-Xmx1g -javaagent:/opt/opentelemetry-javaagent.jar",
            "NODE_OPTIONS=--require @opentelemetry/auto-instrumentations-node/register",
            "CORECLR_PROFILER={918728DD-259F-4A6A-AC2B-B85E1B658318}",
        ] {
            assert_eq!(instrumented(environ), Some(true), "{environ}");
        }
    }

    #[test]
    fn a_name_in_the_environment_proves_nothing() {
        for environ in [
            "",
            "OTEL_SERVICE_NAME=shop",
            "OTEL_RESOURCE_ATTRIBUTES=service.name=shop",
            "OTEL_EXPORTER_OTLP_ENDPOINT=",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://c",
            "OTEL_METRICS_EXPORTER=otlp",
            "NODE_OPTIONS=--max-old-space-size=100",
        ] {
            assert_eq!(instrumented(environ), None, "{environ}");
        }
    }

    #[test]
    fn an_sdk_that_makes_no_spans_is_not_active() {
        let endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317";
        assert_eq!(instrumented(&format!("{endpoint}\0OTEL_SDK_DISABLED=True")), Some(false));
        assert_eq!(instrumented(&format!("{endpoint}\0OTEL_TRACES_EXPORTER=none")), Some(false));
    }

    #[test]
    fn resource_attributes_are_decoded() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            attributes("service.name=a%20b, service.version = 1=2 ,"),
            [pair("service.name", "a b"), pair("service.version", "1=2")]
        );
    }

    #[test]
    fn one_malformed_resource_attribute_discards_all() {
        for value in ["a=b,c", "a=b,c=%zz", "a=b,c=%4", "a=b,c=%ff", "a=%+1"] {
            assert_eq!(attributes(value), [], "{value}");
        }
    }

    #[test]
    fn agents_and_the_context_mapping_are_seen_in_the_map() {
        let line = |name| format!("7f00-7f01 r--p 00000000 fe:01 42    {name}");
        for name in [
            "/opt/opentelemetry-javaagent-2.0.jar",
            "/app/OpenTelemetry.AutoInstrumentation.Native.so",
            "/usr/lib/libopentelemetry_trace.so.1",
            "/memfd:OTEL_CTX (deleted)",
            "[anon_shmem:OTEL_CTX]",
        ] {
            assert!(mapping_shows_sdk(&line(name)), "{name}");
        }
        for name in ["/usr/lib/libc.so.6", "[heap]", "", "/memfd:other (deleted)"] {
            assert!(!mapping_shows_sdk(&line(name)), "{name}");
        }
    }
}
