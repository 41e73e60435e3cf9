//! What a configuration file may say, and how a mistake in it is reported.

use std::path::Path;
use std::time::Duration;

use super::{
    Action, Attach, Config, Error, Mode, Output, Scope, Unlisted, check_ring_bytes, parse_duration,
};

const EXAMPLE: &str = include_str!("../../../examples/headertap.toml");

fn parse(text: &str) -> Result<Config, Error> {
    Config::parse(text, Path::new("headertap.toml"))
}

fn error(text: &str) -> String {
    parse(text).expect_err("the text has a mistake in it").to_string()
}

#[test]
fn the_example_says_what_the_defaults_are() {
    assert_eq!(parse(EXAMPLE).expect("the example is valid"), Config::default());
}

/// Lines that begin with `#` and no blank are settings that have no default.
#[test]
fn what_the_example_leaves_out_is_valid_too() {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with([' ', '#']) => setting,
        _ => line,
    });
    let config = parse(&lines.collect::<Vec<_>>().join("\n")).expect("the example is valid");
    assert_eq!(config.output, Some(Output::OtlpJson));
    assert_eq!(config.duration, Some(Duration::from_secs(30)));
    assert_eq!(config.policy.rules.len(), 3);
    assert_eq!(config.policy.exclude.len(), 1);
}

#[test]
fn every_key_can_be_set() {
    let config = parse(
        r#"
        interfaces = ["eth*", "lo"]
        attach = "clsact"
        output = "text"
        output_path = "/tmp/headers"
        account_path = "/tmp/account"
        duration = "1500ms"
        ring_bytes = 1048576
        queue_bytes = 8388608
        [policy]
        mode = "all"
        default = "keep"
        hash_key_file = "/etc/key"
        [[policy.rules]]
        action = "hash"
        scope = "request"
        names = ["x-*"]
        when = { host = ["a.b"], path = ["/c"], method = ["GET"], status = ["404", "5xx"] }
        "#,
    )
    .expect("every key is known");
    assert_eq!((config.attach, config.output), (Attach::Clsact, Some(Output::Text)));
    assert_eq!((config.ring_bytes, config.queue_bytes), (1 << 20, 8 << 20));
    assert_eq!((config.policy.mode, config.policy.default), (Mode::All, Unlisted::Keep));
    let rule = config.policy.rules.first().expect("there is one rule");
    assert_eq!((rule.action, rule.scope), (Action::Hash, Scope::Request));
    let matching = |code| rule.when.status.iter().any(|status| status.matches(code));
    assert_eq!([404, 405, 500, 599, 600].map(matching), [true, false, true, true, false]);
}

#[test]
fn an_error_names_file_line_key_and_the_way_out() {
    for (text, parts) in [
        ("attach = \"tcx\"\nring = 1", ["headertap.toml:2:", "ring = 1", "`ring_bytes`"]),
        ("ring_bytes = 1000000", ["headertap.toml:1:", "ring_bytes", "power of two"]),
        ("queue_bytes = 1", ["headertap.toml:1:", "queue_bytes", "4 MiB"]),
        ("output = \"otel\"", ["headertap.toml:1:", "output", "`otlp-json`"]),
        ("\nduration = \"5\"", ["headertap.toml:2:", "duration", "30s"]),
        ("interfaces = []", ["headertap.toml:1:", "interfaces", "[\"*\"]"]),
        ("interfaces = [\"[\"]", ["headertap.toml:1:", "interfaces", "\"eth*\""]),
        ("attach = ", ["headertap.toml:1:", "attach", "value"]),
        ("[policy]\ndefault = \"mask\"", ["headertap.toml:2:", "default", "`keep`"]),
        ("[[policy.exclude]]\n", ["headertap.toml:1:", "policy.exclude", "host, path"]),
        (
            "[[policy.rules]]\naction = \"keep\"\nnames = []",
            ["headertap.toml:3:", "names = []", "x-tenant"],
        ),
        ("[[policy.exclude]]\nstatus = [\"5x\"]", ["headertap.toml:2:", "status = ", "\"5xx\""]),
    ] {
        let message = error(text);
        for part in parts {
            assert!(message.contains(part), "no {part:?} in {message:?}");
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::read(Path::new("/nowhere/headertap.toml")).expect_err("it is not there");
    assert!(error.to_string().contains("/nowhere/headertap.toml"), "{error}");
}

#[test]
fn durations_have_a_number_and_a_unit() {
    assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
    assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3600)));
    for text in ["", "5", "s", "0s", "-1s", "1.5s", "1 s", "1d", "99999999999999999999s"] {
        assert!(parse_duration(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_ring_buffer_is_a_power_of_two() {
    assert_eq!(check_ring_bytes(16 << 20), Ok(16 << 20));
    for bytes in [0, 1, 4096, (16 << 20) + 1, 1 << 32] {
        assert!(check_ring_bytes(bytes).is_err(), "{bytes}");
    }
}

#[test]
fn records_go_to_a_collector_if_the_environment_names_one() {
    let config = Config::default();
    let logs_only = |name: &str| name == "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT";
    assert_eq!(config.output(logs_only).expect("there is no path"), Output::Otlp);
    assert_eq!(config.output(|_| false).expect("there is no path"), Output::Text);
}

#[test]
fn a_file_is_not_an_otlp_output() {
    let mut config = Config { output_path: Some("headers".into()), ..Config::default() };
    assert_eq!(config.output(|_| true).expect("text can go to a file"), Output::Text);
    config.output = Some(Output::Otlp);
    assert!(matches!(config.output(|_| true), Err(Error::PathWithOtlp)));
}
