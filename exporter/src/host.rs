//! The host that is observed, as what is observed on it and headertap itself name it.

use std::fs;

/// The host that is observed. Empty strings are facts that are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// `host.name`.
    pub name: String,
    /// `host.id`: the content of `/etc/machine-id`.
    pub id: String,
    /// `host.arch`, in the words of the semantic conventions: `amd64`, `arm64`, ...
    pub arch: String,
    /// `os.type`.
    pub os_type: String,
}

impl Host {
    /// Reads the facts of the host this runs on. What cannot be read stays empty.
    #[must_use]
    pub fn read() -> Self {
        Self {
            name: first_line("/proc/sys/kernel/hostname"),
            id: Some(first_line("/etc/machine-id"))
                .filter(|id| is_machine_id(id))
                .unwrap_or_default(),
            arch: arch(std::env::consts::ARCH).to_owned(),
            os_type: std::env::consts::OS.to_owned(),
        }
    }
}

fn first_line(path: &str) -> String {
    let content = fs::read_to_string(path).unwrap_or_default();
    content.lines().next().unwrap_or_default().to_owned()
}

/// 32 hexadecimal digits (machine-id(5)); the file may also say `uninitialized`.
fn is_machine_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The semantic conventions' word for Rust's name of an architecture.
fn arch(rust: &str) -> &str {
    match rust {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc" => "ppc32",
        "powerpc64" => "ppc64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, arch};

    #[test]
    fn the_architecture_has_the_name_of_the_conventions() {
        assert_eq!(["x86_64", "aarch64", "s390x"].map(arch), ["amd64", "arm64", "s390x"]);
    }

    #[test]
    fn the_host_that_runs_the_test_has_a_name_and_an_architecture() {
        let host = Host::read();
        assert!(!host.name.is_empty() && !host.name.contains('\n'), "{host:?}");
        assert_eq!(host.os_type, "linux");
        assert!(host.id.is_empty() || host.id.len() == 32, "{host:?}");
    }
}
