//! The OTLP Resource of an observed process: facts of the process and the host in, the encoded
//! `Resource` message out, encoded once for each process.
//!
//! It describes who is observed, so it says nothing of an SDK: `telemetry.distro.*` names
//! headertap, and `telemetry.sdk.*` is left out.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::attributes::{Key, Value, table};
use super::key_values::put_key_value;
use super::{SCOPE_NAME, SCOPE_VERSION};
use crate::host::Host;
use crate::process::Process;

/// The field of `Resource`.
const ATTRIBUTES: u32 = 1;

/// Most Resources kept; a host rarely has as many processes that talk HTTP.
const MAX_RESOURCES: usize = 4096;

/// What the name is where the process is not known; `service.name` must not be empty.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// The encoded Resources of the processes met so far.
#[derive(Debug)]
pub(super) struct Resources {
    host: Vec<u8>,
    /// By the address of the process, which cannot be reused while the entry holds it.
    by_process: FxHashMap<usize, (Arc<Process>, Arc<[u8]>)>,
}

impl Resources {
    pub(super) fn new(host: &Host) -> Self {
        Self { host: encode_host(host), by_process: FxHashMap::default() }
    }

    /// The encoded Resource of `process` on this host.
    pub(super) fn of(&mut self, process: &Arc<Process>) -> Arc<[u8]> {
        let address = Arc::as_ptr(process) as usize;
        if let Some((_, resource)) = self.by_process.get(&address) {
            return Arc::clone(resource);
        }
        self.make_room();
        let mut bytes = encode_process(process);
        bytes.extend_from_slice(&self.host);
        let resource = Arc::from(bytes);
        self.by_process.insert(address, (Arc::clone(process), Arc::clone(&resource)));
        resource
    }

    /// Forgets the processes that nobody else knows any more; all of them if that is not enough.
    fn make_room(&mut self) {
        if self.by_process.len() < MAX_RESOURCES {
            return;
        }
        self.by_process.retain(|_, (process, _)| Arc::strong_count(process) > 1);
        if self.by_process.len() >= MAX_RESOURCES {
            self.by_process.clear();
        }
    }
}

fn encode_process(process: &Process) -> Vec<u8> {
    let mut out = Vec::new();
    let name = Some(process.service_name.as_str()).filter(|name| !name.is_empty());
    put_str(&mut out, table::SERVICE_NAME, name.unwrap_or(UNKNOWN_SERVICE));
    put_str(&mut out, table::SERVICE_NAMESPACE, &process.service_namespace);
    put_str(&mut out, table::SERVICE_VERSION, &process.service_version);
    put_str(&mut out, table::SERVICE_INSTANCE_ID, &process.service_instance_id);
    put_str(&mut out, table::DEPLOYMENT_ENVIRONMENT_NAME, &process.deployment_environment);
    if process.pid != 0 {
        let pid = Value::Int(i64::from(process.pid));
        put_key_value(&mut out, ATTRIBUTES, Key::new(table::PROCESS_PID), pid);
    }
    put_str(&mut out, table::PROCESS_EXECUTABLE_NAME, &process.executable_name);
    put_str(&mut out, table::CONTAINER_ID, &process.container_id);
    out
}

fn encode_host(host: &Host) -> Vec<u8> {
    let mut out = Vec::new();
    put_str(&mut out, table::HOST_NAME, &host.name);
    put_str(&mut out, table::HOST_ID, &host.id);
    put_str(&mut out, table::HOST_ARCH, &host.arch);
    put_str(&mut out, table::OS_TYPE, &host.os_type);
    put_str(&mut out, table::TELEMETRY_DISTRO_NAME, SCOPE_NAME);
    put_str(&mut out, table::TELEMETRY_DISTRO_VERSION, SCOPE_VERSION);
    out
}

/// Writes an attribute, unless its value is not known.
fn put_str(out: &mut Vec<u8>, name: &'static str, value: &str) {
    if !value.is_empty() {
        put_key_value(out, ATTRIBUTES, Key::new(name), Value::Str(value));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{MAX_RESOURCES, Resources};
    use crate::host::Host;
    use crate::process::Process;

    #[test]
    fn a_process_is_encoded_once() {
        let mut resources = Resources::new(&Host::default());
        let process = Arc::new(Process { pid: 7, ..Process::default() });
        assert!(Arc::ptr_eq(&resources.of(&process), &resources.of(&process)));
    }

    #[test]
    fn the_resources_kept_are_bounded_whether_processes_end_or_live() {
        let mut resources = Resources::new(&Host::default());
        let mut living = Vec::new();
        for pid in 0..10_000 {
            let process = Arc::new(Process { pid, ..Process::default() });
            resources.of(&process);
            if pid % 2 == 0 {
                living.push(process);
            }
            assert!(resources.by_process.len() <= MAX_RESOURCES);
        }
    }
}
