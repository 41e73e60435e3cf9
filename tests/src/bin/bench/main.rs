//! What headertap costs, as ratios measured in one run, each beside its target.
//!
//! Ratios travel from machine to machine, nanoseconds do not. Ends with failure where a target is
//! missed; what was not measured says so and why.

mod cpu;
mod idle;
mod load;
mod packets;
mod sink;
mod stages;
mod tshark;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, ensure};

/// One line of the table.
struct Row {
    what: &'static str,
    measured: String,
    target: &'static str,
    /// `None`: not measured.
    reached: Option<bool>,
}

impl Row {
    fn new(what: &'static str, target: &'static str, measured: String, reached: bool) -> Self {
        Self { what, measured, target, reached: Some(reached) }
    }

    fn absent(what: &'static str, target: &'static str, why: &str) -> Self {
        Self { what, measured: format!("NOT MEASURED: {why}"), target, reached: None }
    }

    fn print(&self) {
        let verdict = match self.reached {
            Some(true) => "reached",
            Some(false) => "MISSED",
            None => "-",
        };
        println!("{:<44} {:<12} {verdict:<8} {}", self.what, self.target, self.measured);
    }
}

type Measure = fn() -> Result<Vec<Row>>;

/// What can be named as an argument to be measured alone.
const MEASURES: [(&str, Measure); 5] = [
    ("packets", packets::rows),
    ("load", load::rows),
    ("stages", stages::rows),
    ("tshark", tshark::rows),
    ("idle", idle::rows),
];

fn main() -> Result<ExitCode> {
    e2e::root_or_fail();
    let named: Vec<String> = env::args().skip(1).collect();
    for name in &named {
        let is_known = MEASURES.iter().any(|(known, _)| known == name);
        ensure!(is_known, "{name} is none of {:?}", MEASURES.map(|(known, _)| known));
    }
    println!("{:<44} {:<12} {:<8} measured", "", "target", "");
    let mut rows = Vec::new();
    for (name, measure) in MEASURES {
        if !named.is_empty() && !named.iter().any(|wanted| wanted == name) {
            continue;
        }
        for row in measure()? {
            row.print();
            rows.push(row);
        }
    }
    let missed = rows.iter().any(|row| row.reached == Some(false));
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
