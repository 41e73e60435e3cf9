//! The command line: arguments in, one [`Config`] out. Runs nothing.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::{
    Attach, Config, Error, Mode, Output, check_interface, check_ring_bytes, parse_duration,
};

/// Logs every HTTP header of the traffic on this host as OpenTelemetry logs and spans.
#[derive(Debug, Parser)]
#[command(name = "headertap", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch the host's traffic until SIGINT or SIGTERM
    #[command(after_help = ENVIRONMENT)]
    Run(RunArgs),
    /// Read capture files, pcap or pcapng, as if their traffic were live; needs no root
    #[command(after_help = ENVIRONMENT)]
    Replay(ReplayArgs),
}

const ENVIRONMENT: &str = "\
Environment:
  OTEL_EXPORTER_OTLP_ENDPOINT, ..._HEADERS, ..._TIMEOUT, ... and the same for LOGS and TRACES
      alone: where and how otlp sends (OpenTelemetry specification)
  HEADERTAP_LOG
      what headertap logs about itself, e.g. debug or headertap=trace [default:
      warn,headertap=info]
  HEADERTAP_HASH_KEY
      key of the action hash where the configuration names no file

SIGINT or SIGTERM sends what is left and prints the loss account; a second one stops at once.
Flags override the configuration file.";

/// The flags that all commands have.
#[derive(Debug, Args)]
struct CommonArgs {
    /// Configuration file in TOML [default: none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Where records go: to a collector, or as text or OTLP JSON lines to --output-path
    /// [default: otlp if OTEL_EXPORTER_OTLP_ENDPOINT, or the same for logs or traces alone, is
    /// set and --output-path is not; else text]
    #[arg(long, value_enum, value_name = "FORM")]
    output: Option<Output>,

    /// File for text and otlp-json [default: standard output]
    #[arg(long, value_name = "FILE")]
    output_path: Option<PathBuf>,

    /// What may leave the host: safe masks and drops what may be secret; all exports every
    /// header as it is [default: safe]
    #[arg(long, value_enum, value_name = "POLICY")]
    policy: Option<Mode>,

    /// Write the loss account there as JSON at the end [default: nowhere; it is always printed]
    #[arg(long, value_name = "FILE")]
    account_path: Option<PathBuf>,
}

/// The flags of `headertap run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    common: CommonArgs,

    /// Watch interfaces whose name fits this glob; may be given more than once [default: *]
    #[arg(long, value_name = "GLOB", value_parser = check_interface)]
    interface: Vec<String>,

    /// How to attach to interfaces: tcx needs Linux 6.6, auto takes what there is
    /// [default: auto]
    #[arg(long, value_enum, value_name = "HOW")]
    attach: Option<Attach>,

    /// Stop after this time, e.g. 500ms, 30s, 5m, 1h [default: never]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,

    /// Size in bytes of the ring buffer between kernel and headertap, a power of two
    /// [default: 16777216 (16 MiB)]
    #[arg(long, value_name = "N", value_parser = ring_bytes)]
    ring_bytes: Option<u32>,
}

/// The flags of `headertap replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    common: CommonArgs,

    /// Capture files, read in this order as one capture; gzip is unpacked; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

fn ring_bytes(text: &str) -> Result<u32, String> {
    let bytes = text.parse().map_err(|_| format!("`{text}` is not a number of bytes"))?;
    check_ring_bytes(bytes)
}

impl CommonArgs {
    fn into_config(self) -> Result<Config, Error> {
        let file = self.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        let mut policy = file.policy;
        policy.mode = self.policy.unwrap_or(policy.mode);
        Ok(Config {
            output: self.output.or(file.output),
            output_path: self.output_path.or(file.output_path),
            policy,
            account_path: self.account_path.or(file.account_path),
            ..file
        })
    }
}

impl RunArgs {
    /// The configuration: the file's, else the default, with the flags that were given over it.
    ///
    /// # Errors
    /// The file cannot be read or has a mistake in it.
    pub fn into_config(self) -> Result<Config, Error> {
        let file = self.common.into_config()?;
        let interfaces = Some(self.interface).filter(|globs| !globs.is_empty());
        Ok(Config {
            interfaces: interfaces.unwrap_or(file.interfaces),
            attach: self.attach.unwrap_or(file.attach),
            duration: self.duration.or(file.duration),
            ring_bytes: self.ring_bytes.unwrap_or(file.ring_bytes),
            ..file
        })
    }
}

impl ReplayArgs {
    /// The configuration as of `run`, and the files; what is for the kernel side alone has no
    /// meaning here.
    ///
    /// # Errors
    /// The configuration file cannot be read or has a mistake in it.
    pub fn into_config(self) -> Result<(Config, Vec<PathBuf>), Error> {
        Ok((self.common.into_config()?, self.files))
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Attach, Cli, Command, Config, Duration, Mode, Output, PathBuf};

    fn config(args: &[&str]) -> Result<Config, String> {
        let args = ["headertap", "run"].iter().chain(args);
        match Cli::try_parse_from(args).map_err(|error| error.to_string())?.command {
            Command::Run(run) => run.into_config().map_err(|error| error.to_string()),
            Command::Replay(_) => panic!("it is another command"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_flags_the_configuration_is_the_default() {
        assert_eq!(config(&[]), Ok(Config::default()));
    }

    #[test]
    fn a_flag_overrides_the_file() {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/headertap.toml");
        let flags = [
            "--config",
            example,
            "--interface",
            "eth*",
            "--interface",
            "lo",
            "--attach",
            "tcx",
            "--output",
            "otlp-json",
            "--output-path",
            "out",
            "--policy",
            "all",
            "--account-path",
            "account",
            "--duration",
            "30s",
            "--ring-bytes",
            "1048576",
        ];
        let expected = Config {
            interfaces: vec!["eth*".to_owned(), "lo".to_owned()],
            attach: Attach::Tcx,
            output: Some(Output::OtlpJson),
            output_path: Some("out".into()),
            account_path: Some("account".into()),
            duration: Some(Duration::from_secs(30)),
            ring_bytes: 1 << 20,
            ..Config::default()
        };
        let mut config = config(&flags).expect("the flags and the example are valid");
        assert_eq!(config.policy.mode, Mode::All);
        config.policy.mode = Mode::Safe;
        assert_eq!(config, expected);
    }

    #[test]
    fn a_wrong_value_names_its_flag_and_what_is_allowed() {
        for (flag, value, way_out) in [
            ("--duration", "30", "30s"),
            ("--ring-bytes", "1000", "power of two"),
            ("--interface", "[", "eth*"),
            ("--output", "json", "otlp-json"),
            ("--policy", "none", "safe"),
            ("--config", "/nowhere/headertap.toml", "/nowhere/headertap.toml"),
        ] {
            let message = config(&[flag, value]).expect_err("the value is wrong");
            assert!(message.contains(flag) && message.contains(way_out), "{message}");
        }
    }

    #[test]
    fn replay_takes_files_and_the_flags_of_every_command() {
        let args =
            ["headertap", "replay", "--policy", "all", "--output", "text", "a.pcap", "-", "b.pcap"];
        let parsed = Cli::try_parse_from(args).expect("the command line is valid");
        let Command::Replay(replay) = parsed.command else { panic!("it is a replay") };
        let (config, files) = replay.into_config().expect("no file is read");
        assert_eq!(config.policy.mode, Mode::All);
        assert_eq!(config.output, Some(Output::Text));
        assert_eq!(files, ["a.pcap", "-", "b.pcap"].map(PathBuf::from));
        for flag in ["--interface=lo", "--attach=tcx", "--ring-bytes=1048576", "--duration=1s"] {
            let error = Cli::try_parse_from(["headertap", "replay", flag, "a.pcap"]);
            assert!(error.is_err(), "{flag} is for the live traffic");
        }
        assert!(Cli::try_parse_from(["headertap", "replay"]).is_err(), "a file is missing");
    }

    #[test]
    fn the_help_gives_the_default_of_every_flag() {
        let mut command = Cli::command();
        for name in ["run", "replay"] {
            let command = command.find_subcommand_mut(name).expect("it is a command");
            let flags = command.get_arguments().filter(|argument| !argument.is_positional());
            for argument in flags.filter(|argument| argument.get_id() != "help") {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("[default: "), "{name} --{}", argument.get_id());
            }
        }
    }
}
