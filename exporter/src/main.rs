//! The program: the command line in, a run and its loss account out.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use headertap::cli::{Cli, Command, ReplayArgs, RunArgs};
use headertap::config::Config;
use headertap::pipeline;
use headertap::stats::Account;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run(args),
        Command::Replay(args) => replay(args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("headertap: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(args: RunArgs) -> Result<ExitCode> {
    let config = args.into_config()?;
    let account = pipeline::run(&config)?;
    close(&config, &account)?;
    Ok(ExitCode::SUCCESS)
}

fn replay(args: ReplayArgs) -> Result<ExitCode> {
    let (config, files) = args.into_config()?;
    let (account, all_read) = pipeline::replay(&config, &files)?;
    close(&config, &account)?;
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn close(config: &Config, account: &Account) -> Result<()> {
    eprint!("{account}");
    match &config.account_path {
        Some(path) => write(account, path),
        None => Ok(()),
    }
}

fn write(account: &Account, path: &Path) -> Result<()> {
    let mut json = serde_json::to_vec_pretty(account).context("the account as JSON")?;
    json.push(b'\n');
    fs::write(path, json)
        .with_context(|| format!("--account-path {} cannot be written", path.display()))
}
