//! The rule of layers, read from the sources: data goes one way, so a stage knows only the stages
//! to its left and the words that all share; and the dirty ends stay at the ends.
//!
//! Needs no root: it looks at text.

#![allow(clippy::string_slice, reason = "lines are cut where find() said")]

use std::fs;
use std::path::{Path, PathBuf};

/// In the direction of the data.
const STAGES: [&str; 12] = [
    "capture",
    "event",
    "packet",
    "replay",
    "reassemble",
    "parse",
    "correlate",
    "policy",
    "export",
    "deliver",
    "output",
    "pipeline",
];
/// What every stage may name. A word knows only words.
const WORDS: [&str; 12] = [
    "config",
    "connection",
    "dns",
    "exchange",
    "fields",
    "flow",
    "host",
    "http",
    "process",
    "stats",
    "tls",
    "trace_context",
];
/// What stands beside the path, and what it may name.
const BESIDE: [(&str, &[&str]); 2] =
    [("cli", &["config"]), ("telemetry", &["deliver", "host", "stats"])];
/// The root of the crate and its binary: they begin the path.
const ROOTS: [&str; 2] = ["lib", "main"];
/// A crate, and the one stage that may name it.
const ENDS: [(&str, &str); 4] = [
    ("libbpf_rs", "capture"),
    ("libbpf_sys", "capture"),
    ("tonic", "deliver"),
    ("tonic_types", "deliver"),
];
/// What no parser names: I/O, clocks, randomness, and what the compiler does not check.
const NOT_IN_PARSERS: [&str; 15] = [
    "unsafe",
    "Instant",
    "SystemTime",
    "UNIX_EPOCH",
    "fs",
    "io",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
    "env",
    "thread",
    "tokio",
    "fastrand",
    "rustix",
];
/// No file has as many lines.
const LINES_MAX: usize = 500;

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The lines without comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let code = |line: &'_ str| line.find("//").unwrap_or(line.len());
        (1..).zip(self.text.lines().map(move |line| &line[..code(line)]))
    }

    /// The top module it belongs to.
    fn module(&self) -> String {
        let names: Vec<_> =
            self.path.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let src = names.iter().rposition(|name| name == "src").expect("it is a crate's source");
        names[src + 1].trim_end_matches(".rs").to_owned()
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names in a line, each with what stands before it.
fn names(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + line[rest..].find(is_name)?;
        let end = line[start..].find(|c| !is_name(c)).map_or(line.len(), |len| start + len);
        rest = end;
        Some((&line[..start], &line[start..end]))
    })
}

/// The modules of this crate that a line names: `crate::x`, and `x` within `crate::{...}`.
fn modules_in(line: &str) -> Vec<&str> {
    let mut modules = Vec::new();
    for root in ["crate::", "headertap::"] {
        for (at, _) in line.match_indices(root) {
            let rest = &line[at + root.len()..];
            if let Some(list) = rest.strip_prefix('{') {
                modules.extend(list.split(',').filter_map(|part| names(part).next()).map(|n| n.1));
            } else {
                modules.extend(names(rest).next().map(|name| name.1));
            }
        }
    }
    modules
}

fn place(list: &[&str], module: &str) -> Option<usize> {
    list.iter().position(|name| *name == module)
}

fn may_name(module: &str, other: &str) -> bool {
    let is_word = place(&WORDS, other).is_some();
    if module == other || ROOTS.contains(&module) {
        return true;
    }
    if let Some((_, allowed)) = BESIDE.iter().find(|(name, _)| *name == module) {
        return allowed.contains(&other);
    }
    match (place(&STAGES, module), place(&STAGES, other)) {
        (Some(_), None) if module == "pipeline" => true,
        // A parser knows bytes, not where they came from.
        (Some(own), Some(left)) => left < own && module != "parse",
        _ => is_word,
    }
}

fn breaches(source: &Source) -> Vec<String> {
    let module = source.module();
    let mut breaches = Vec::new();
    let mut breach = |line: usize, what: String| {
        breaches.push(format!("{}:{line}: {what}", source.path.display()));
    };
    let is_known = place(&STAGES, &module).or(place(&WORDS, &module)).is_some()
        || BESIDE.iter().any(|(name, _)| *name == module)
        || ROOTS.contains(&module.as_str());
    if !is_known {
        breach(1, format!("`{module}` has no place among the stages"));
    }
    for (number, line) in source.code() {
        for other in modules_in(line) {
            if !may_name(&module, other) {
                breach(number, format!("`{module}` may not name `{other}`"));
            }
        }
        for (before, name) in names(line) {
            for (end, stage) in ENDS {
                // Behind `::` or in quotes it is no crate.
                let is_crate = name == end && !before.ends_with("::") && !before.ends_with('"');
                if is_crate && module != stage {
                    breach(number, format!("only `{stage}` may name `{end}`"));
                }
            }
            if module == "parse" && NOT_IN_PARSERS.contains(&name) {
                breach(number, format!("a parser may not name `{name}`"));
            }
        }
    }
    breaches
}

fn sources(folder: &Path, found: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).expect("the folder of the sources can be read");
    for entry in entries {
        let path = entry.expect("the folder's entries can be read").path();
        let is_made = path.file_name().is_some_and(|name| name == "target");
        if path.is_dir() && !is_made {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source is text");
            found.push(Source { path, text });
        }
    }
}

fn sources_in(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is in the workspace");
    let mut found = Vec::new();
    for folder in folders {
        sources(&root.join(folder), &mut found);
    }
    found
}

#[test]
fn every_stage_names_only_what_is_to_its_left() {
    let sources = sources_in(&["exporter/src"]);
    for stage in STAGES {
        assert!(sources.iter().any(|source| source.module() == stage), "{stage} is gone");
    }
    let breaches: Vec<String> = sources.iter().flat_map(breaches).collect();
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let sources = sources_in(&["exporter", "tests", "fuzz"]);
    let long: Vec<String> = sources
        .iter()
        .map(|source| (source, source.text.lines().count()))
        .filter(|(_, lines)| *lines >= LINES_MAX)
        .map(|(source, lines)| format!("{}:{lines}: as many lines", source.path.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn what_breaks_the_rule_is_named_by_file_and_line() {
    for (path, line, told) in [
        ("reassemble.rs", "use crate::correlate::Found;", "`reassemble` may not name `correlate`"),
        ("parse/dns.rs", "use crate::{fields::Fields, policy};", "`parse` may not name `policy`"),
        ("flow.rs", "let x = crate::event::decode;", "`flow` may not name `event`"),
        ("export/logs.rs", "use tonic::Status;", "only `deliver` may name `tonic`"),
        ("event.rs", "use libbpf_rs::Map;", "only `capture` may name `libbpf_rs`"),
        ("parse/http1/body.rs", "let now = std::time::Instant::now();", "may not name `Instant`"),
        ("parse.rs", "unsafe { *p }", "may not name `unsafe`"),
        ("recorder.rs", "", "`recorder` has no place"),
    ] {
        let text = format!("//! Named in a comment: crate::pipeline.\n{line}\n");
        let found = breaches(&Source { path: Path::new("exporter/src").join(path), text });
        let number = if line.is_empty() { 1 } else { 2 };
        let [one] = found.as_slice() else { panic!("{path}: {found:?}") };
        assert!(one.starts_with(&format!("exporter/src/{path}:{number}: ")), "{one}");
        assert!(one.contains(told), "{one}");
    }
}

#[test]
fn what_keeps_the_rule_is_left_alone() {
    for (path, line) in [
        ("correlate/flow.rs", "use crate::parse::http1::Side;"),
        ("export/oracle.rs", "use opentelemetry_proto::tonic::logs::v1::LogRecord;"),
        ("telemetry.rs", "use crate::deliver::own::Exporter;"),
        ("pipeline.rs", "use crate::telemetry::Telemetry;"),
        ("parse/http1.rs", "// a clock such as Instant is not here"),
    ] {
        let source = Source { path: Path::new("src").join(path), text: line.to_owned() };
        assert_eq!(breaches(&source), Vec::<String>::new(), "{path}");
    }
}
