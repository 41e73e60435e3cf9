//! One process read from `/proc`: a pid in, a [`Process`] out.
//!
//! Everything is read below a root path, so that tests can make their own. What cannot be read,
//! because the process is gone or belongs to somebody else, is left empty.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Process;
use super::cgroup::{container_id, systemd_unit};
use super::otel::{Environment, mapping_shows_sdk};

/// An environment is read up to here.
const ENVIRON_MAX_BYTES: u64 = 1 << 20;
/// A memory map is read up to here: some 40,000 mappings.
const MAPS_MAX_BYTES: u64 = 4 << 20;

/// What `/proc/<pid>/stat` says (proc(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// Process id of the parent.
    pub(super) parent_pid: u32,
    /// When it started, in clock ticks since boot: with the pid, its identity.
    pub(super) start: u64,
}

/// The process's `stat`; `None` if it is gone.
pub(super) fn stat(root: &Path, pid: u32) -> Option<Stat> {
    let stat = fs::read(root.join(pid.to_string()).join("stat")).ok()?;
    // The command name may have blanks and brackets in it: fields are counted behind the last.
    let name_end = stat.iter().rposition(|b| *b == b')')?;
    let mut fields = str::from_utf8(stat.get(name_end + 1..)?).ok()?.split_ascii_whitespace();
    let parent_pid = fields.nth(4 - 3)?.parse().ok()?;
    let start = fields.nth(22 - 4 - 1)?.parse().ok()?;
    Some(Stat { parent_pid, start })
}

/// The facts of a process that has this `stat`.
pub(super) fn process(root: &Path, boot_id: &str, pid: u32, stat: Stat) -> Process {
    let folder = root.join(pid.to_string());
    let environ = read_at_most(&folder.join("environ"), ENVIRON_MAX_BYTES);
    let environment = Environment::new(&environ);
    let cgroup = fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
    let container = container_id(&cgroup).unwrap_or_default().to_owned();
    // A container's cgroup may lie in its runtime's unit, which is another service.
    let unit = if container.is_empty() { systemd_unit(&cgroup) } else { None };
    let attributes = environment.resource_attributes();
    let attribute = |key: &str| {
        attributes.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()).unwrap_or_default()
    };
    let said = |key| Some(attribute(key)).filter(|value| !value.is_empty());
    let executable_name = executable_name(&folder);
    let service_name = environment
        .service_name()
        .or_else(|| said("service.name"))
        .or(unit)
        .unwrap_or_else(|| executable_name.clone());
    let instance = said("service.instance.id");
    Process {
        pid,
        parent_pid: stat.parent_pid,
        service_name,
        service_namespace: attribute("service.namespace"),
        service_version: attribute("service.version"),
        service_instance_id: instance
            .unwrap_or_else(|| instance_id(&folder, boot_id, pid, stat.start)),
        deployment_environment: attribute("deployment.environment.name"),
        executable_name,
        container_id: container,
        instrumented: environment.instrumented().unwrap_or_else(|| maps_show_sdk(&folder)),
    }
}

/// The base name of the program, or the command name where that cannot be read.
fn executable_name(folder: &Path) -> String {
    let program = fs::read_link(folder.join("exe")).unwrap_or_default();
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
    if !name.is_empty() {
        return name.to_owned();
    }
    fs::read_to_string(folder.join("comm")).unwrap_or_default().trim_end().to_owned()
}

/// A UUID (RFC 9562 section 5.8, version 8) that is the same for the process's whole life and
/// for no other: from boot, start time, pid namespace and pid.
fn instance_id(folder: &Path, boot_id: &str, pid: u32, start: u64) -> String {
    let namespace = fs::read_link(folder.join("ns/pid")).unwrap_or_default();
    let identity = format!("headertap\n{boot_id}\n{start}\n{}\n{pid}", namespace.display());
    let digest = Sha256::digest(identity.as_bytes());
    let high = digest.iter().take(16).fold(0_u128, |id, byte| (id << 8) | u128::from(*byte));
    let id = (high & !(0xf << 76) & !(0b11 << 62)) | (8 << 76) | (0b10 << 62);
    let part = |shift: u32, digits: u32| (id >> shift) & ((1 << (4 * digits)) - 1);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        part(96, 8),
        part(80, 4),
        part(64, 4),
        part(48, 4),
        part(0, 12)
    )
}

fn maps_show_sdk(folder: &Path) -> bool {
    let Ok(maps) = File::open(folder.join("maps")) else { return false };
    let mut maps = BufReader::new(maps.take(MAPS_MAX_BYTES));
    let mut line = Vec::new();
    loop {
        line.clear();
        match maps.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return false,
            Ok(_) if mapping_shows_sdk(&String::from_utf8_lossy(&line)) => return true,
            Ok(_) => {}
        }
    }
}

fn read_at_most(path: &PathBuf, max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(max).read_to_end(&mut bytes));
    if read.is_err() {
        bytes.clear(); // the process ended, or is not ours to read: half an environment misleads
    }
    bytes
}
