//! The configuration: a TOML file in, one [`Config`] out. `cli` lays the flags over it.
//!
//! Owns every default and limit that a user can set. Nothing is read but the file itself; what
//! is wrong in it is reported with file, line and what to write instead.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::Deserialize;
use serde::de::{self, Deserializer};

/// Why a configuration is refused. headertap does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read: correct the path, or the file's permissions.
    #[error("{path} cannot be read: {source}; correct --config, or leave it out", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// A line of the file is not understood: correct it.
    #[error("{path}:{line}: {message}\n  {line} | {text}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The line as it stands in the file.
        text: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// An output file for an output that writes none.
    #[error(
        "output_path (--output-path) is for the outputs text and otlp-json; set one of them with \
         `output` (--output), or leave the path out"
    )]
    PathWithOtlp,
}

/// How headertap runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Globs of the interfaces to watch; `lo` counts as one.
    #[serde(deserialize_with = "interfaces")]
    pub interfaces: Vec<String>,
    /// How programs are attached to interfaces.
    pub attach: Attach,
    /// What is written where; `None`: see [`Config::output`].
    pub output: Option<Output>,
    /// The file for `text` and `otlp-json`; `None`: stdout.
    pub output_path: Option<PathBuf>,
    /// What may leave the host.
    pub policy: Policy,
    /// Where the loss account is written as JSON at the end; `None`: nowhere.
    pub account_path: Option<PathBuf>,
    /// How long to run; `None`: until SIGINT or SIGTERM.
    #[serde(deserialize_with = "some_duration")]
    pub duration: Option<Duration>,
    /// Size of the ring buffer between kernel and user space, in bytes.
    #[serde(deserialize_with = "ring_bytes")]
    pub ring_bytes: u32,
    /// Most bytes of encoded data that wait for the collector.
    #[serde(deserialize_with = "queue_bytes")]
    pub queue_bytes: usize,
}

/// How programs are attached to interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Attach {
    /// tcx links where the kernel has them (6.6 and later), else clsact filters.
    #[default]
    Auto,
    /// tcx links, or fail.
    Tcx,
    /// clsact filters.
    Clsact,
}

/// Where records go, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// OTLP to a collector.
    Otlp,
    /// A line an exchange, for people.
    Text,
    /// OTLP JSON lines, the form of the Collector's file exporter.
    OtlpJson,
}

/// What may leave the host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Whether anything is held back at all.
    pub mode: Mode,
    /// What happens to a field that no rule and no built-in list names.
    pub default: Unlisted,
    /// The file with the key of the action `hash`.
    pub hash_key_file: Option<PathBuf>,
    /// Rules for fields; the first that applies wins.
    pub rules: Vec<Rule>,
    /// Exchanges that are not exported: those for which all conditions of an entry hold.
    #[serde(deserialize_with = "exclude")]
    pub exclude: Vec<Conditions>,
}

/// Whether anything is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Built-in lists, rules, redaction and caps are in force.
    #[default]
    Safe,
    /// Every field is exported as it is, secrets included; rules are not in force.
    All,
}

/// What happens to a field that nothing names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlisted {
    /// It is dropped and counted.
    #[default]
    Drop,
    /// It is exported.
    Keep,
}

/// What happens to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is exported, without the secrets in URLs.
    Keep,
    /// It is not exported, but counted.
    Drop,
    /// Its value is exported as `REDACTED`.
    Mask,
    /// Its value is exported as 16 hex digits of a keyed HMAC-SHA256.
    Hash,
}

/// Which side of an exchange a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The request.
    Request,
    /// Every response.
    Response,
    /// Both.
    #[default]
    Both,
}

/// A rule for fields.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What happens to the fields.
    pub action: Action,
    /// Which side they are on.
    #[serde(default)]
    pub scope: Scope,
    /// Globs of their names, compared without case.
    #[serde(deserialize_with = "rule_names")]
    pub names: Vec<String>,
    /// When the rule applies.
    #[serde(default)]
    pub when: Conditions,
}

/// Conditions on an exchange: all must hold; of each list, one entry. An empty list holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conditions {
    /// Globs of the host without port, compared without case.
    pub host: Vec<String>,
    /// Globs of the path without query.
    pub path: Vec<String>,
    /// Globs of the method, compared without case.
    pub method: Vec<String>,
    /// Status codes and classes, e.g. `404` or `5xx`.
    pub status: Vec<Status>,
}

/// A status code, or all codes of a class (RFC 9110 section 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Status {
    lowest: u16,
    highest: u16,
}

impl Status {
    /// Whether this is `code`, or its class.
    #[must_use]
    pub fn matches(self, code: u16) -> bool {
        (self.lowest..=self.highest).contains(&code)
    }
}

impl TryFrom<String> for Status {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let class = text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok());
        let range = match (class, text.parse::<u16>()) {
            (Some(class @ 1..=9), _) => Some((class * 100, class * 100 + 99)),
            (None, Ok(code @ 100..=999)) => Some((code, code)),
            _ => None,
        };
        let (lowest, highest) = range.ok_or_else(|| {
            format!("`{text}` is not a status; write a code or class: \"404\" or \"5xx\"")
        })?;
        Ok(Self { lowest, highest })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interfaces: vec!["*".to_owned()],
            attach: Attach::Auto,
            output: None,
            output_path: None,
            policy: Policy::default(),
            account_path: None,
            duration: None,
            ring_bytes: 16 << 20,
            queue_bytes: 32 << 20,
        }
    }
}

/// The variables that name a collector (OTLP exporter specification).
const ENDPOINTS: [&str; 3] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or a line of it is not understood.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable { path: path.into(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text, path)
    }

    /// Takes the text of a file; `path` is for errors.
    ///
    /// # Errors
    /// A line of it is not understood.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.as_bytes().get(..at).unwrap_or_default();
            let line = before.iter().filter(|b| **b == b'\n').count();
            Error::Invalid {
                path: path.into(),
                line: line + 1,
                text: text.lines().nth(line).unwrap_or_default().trim().to_owned(),
                message: error.message().to_owned(),
            }
        })
    }

    /// The output that is asked for; if none is: a file or, where no environment variable names
    /// a collector, text; else OTLP. `is_set` tells whether a variable is set and not empty.
    ///
    /// # Errors
    /// A file is asked for with OTLP, which writes none.
    pub fn output(&self, is_set: impl Fn(&str) -> bool) -> Result<Output, Error> {
        let collector = || self.output_path.is_none() && ENDPOINTS.into_iter().any(is_set);
        match self.output {
            Some(Output::Otlp) if self.output_path.is_some() => Err(Error::PathWithOtlp),
            Some(output) => Ok(output),
            None if collector() => Ok(Output::Otlp),
            None => Ok(Output::Text),
        }
    }
}

/// A ring buffer's size in bytes: what the kernel takes, and not less than a few large records.
///
/// # Errors
/// What is allowed.
pub fn check_ring_bytes(bytes: u64) -> Result<u32, String> {
    let lowest = 256 << 10;
    u32::try_from(bytes).ok().filter(|n| n.is_power_of_two() && *n >= lowest).ok_or_else(|| {
        format!(
            "{bytes} is not a power of two from {lowest} to {}, e.g. 16777216 (16 MiB)",
            1_u32 << 31
        )
    })
}

/// A glob of interface names.
///
/// # Errors
/// What is wrong in it.
pub fn check_interface(glob: &str) -> Result<String, String> {
    match globset::Glob::new(glob) {
        Ok(_) if !glob.is_empty() => Ok(glob.to_owned()),
        Ok(_) => Err("it is empty; write e.g. \"eth*\", or \"*\" for all".to_owned()),
        Err(error) => Err(format!("{error}; write e.g. \"eth*\"")),
    }
}

/// A time with its unit: `500ms`, `30s`, `5m` or `1h`.
///
/// # Errors
/// What is allowed.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let unit_ms = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let ms = unit_ms.and_then(|unit| number.parse::<u64>().ok()?.checked_mul(unit));
    ms.filter(|ms| *ms > 0).map(Duration::from_millis).ok_or_else(|| {
        format!("`{text}` is not a time above 0; write a number and ms, s, m or h: 500ms, 30s, 5m")
    })
}

fn interfaces<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let globs = Vec::<String>::deserialize(deserializer)?;
    if globs.is_empty() {
        return Err(de::Error::custom("interfaces is empty; write [\"*\"] for all"));
    }
    let checked = globs.iter().map(|glob| check_interface(glob).map_err(de::Error::custom));
    checked.collect()
}

fn some_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).map(Some).map_err(de::Error::custom)
}

fn ring_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    check_ring_bytes(u64::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn queue_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let lowest = 4 << 20; // one request to a collector with default limits
    let bytes = usize::deserialize(deserializer)?;
    if bytes < lowest {
        return Err(de::Error::custom(format!(
            "{bytes} is less than {lowest} (4 MiB), one request"
        )));
    }
    Ok(bytes)
}

fn rule_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    if names.is_empty() || names.iter().any(String::is_empty) {
        return Err(de::Error::custom("a rule needs names, e.g. [\"x-tenant\", \"x-app-*\"]"));
    }
    Ok(names)
}

fn exclude<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Conditions>, D::Error> {
    let entries = Vec::<Conditions>::deserialize(deserializer)?;
    if entries.contains(&Conditions::default()) {
        let message = "an entry without conditions would exclude everything; give it host, path, \
                       method or status";
        return Err(de::Error::custom(message));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
