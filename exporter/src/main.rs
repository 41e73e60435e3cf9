//! The program: the command line in, a run and its loss account out.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use headertap::cli::{Cli, Command, RunArgs};
use headertap::pipeline;
use headertap::stats::Account;

fn main() -> ExitCode {
    let Cli { command: Command::Run(args) } = Cli::parse();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headertap: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: RunArgs) -> Result<()> {
    let config = args.into_config()?;
    let account = pipeline::run(&config)?;
    eprint!("{account}");
    match &config.account_path {
        Some(path) => write(&account, path),
        None => Ok(()),
    }
}

fn write(account: &Account, path: &Path) -> Result<()> {
    let mut json = serde_json::to_vec_pretty(account).context("the account as JSON")?;
    json.push(b'\n');
    fs::write(path, json)
        .with_context(|| format!("--account-path {} cannot be written", path.display()))
}
