//! Processes made as folders, and real ones started by the test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{BELIEVED, ENTRIES_MAX, EVICTED, Processes};

const CONTAINER: &str = "4f2c1e0d9b8a7f6e5d4c3b2a19080706f5e4d3c2b1a09f8e7d6c5b4a39281706";

/// A procfs of made folders, removed at the end.
struct Proc(PathBuf);

impl Proc {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = format!("headertap-proc-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(folder);
        let proc = Self(root);
        proc.write("sys/kernel/random/boot_id", "00000000-0000-0000-0000-000000000001\n");
        proc
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.0.join(path);
        let folder = path.parent().expect("the path has a folder");
        fs::create_dir_all(folder).expect("the temporary folder can be written");
        fs::write(path, content).expect("the temporary folder can be written");
    }

    /// A process that started at `start` and runs `/usr/sbin/<exe>`.
    fn start(&self, pid: u32, start: u64, exe: &str) {
        let fields = "S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0";
        self.write(&format!("{pid}/stat"), &format!("{pid} (a) b) {fields} {start} 0 0\n"));
        let link = self.0.join(format!("{pid}/exe"));
        if link.is_symlink() {
            fs::remove_file(&link).expect("the temporary folder can be written");
        }
        symlink(Path::new("/usr/sbin").join(exe), link).expect("the folder can be written");
    }

    fn end(&self, pid: u32) {
        fs::remove_dir_all(self.0.join(pid.to_string())).expect("the process was started");
    }

    fn processes(&self) -> Processes {
        Processes::new(&self.0)
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}

#[test]
fn the_name_is_taken_from_the_first_source_that_has_one() {
    let proc = Proc::new();
    proc.start(1, 10, "nginx (deleted)");
    let name = || proc.processes().get(1, "kernel-name").service_name.clone();
    assert_eq!(name(), "nginx");
    proc.write("1/cgroup", "0::/system.slice/web.service\n");
    assert_eq!(name(), "web");
    proc.write("1/environ", "OTEL_RESOURCE_ATTRIBUTES=service.name=shop\0");
    assert_eq!(name(), "shop");
    proc.write("1/environ", "OTEL_RESOURCE_ATTRIBUTES=service.name=shop\0OTEL_SERVICE_NAME=cart\0");
    assert_eq!(name(), "cart");
}

#[test]
fn every_fact_of_a_process_is_read() {
    let proc = Proc::new();
    proc.start(7, 10, "node");
    proc.write("7/cgroup", &format!("0::/system.slice/docker.service/docker-{CONTAINER}.scope"));
    let attributes = "service.namespace=n,service.version=1.2,deployment.environment.name=prod";
    proc.write("7/environ", &format!("A=b\0OTEL_RESOURCE_ATTRIBUTES={attributes}\0"));
    proc.write("7/maps", "7f00-7f01 r--p 0 0:1 1   /memfd:OTEL_CTX (deleted)\n");
    let process = proc.processes().get(7, "");
    assert_eq!((process.pid, process.executable_name.as_str()), (7, "node"));
    assert_eq!(process.service_name, "node", "the runtime's unit is not the container's");
    assert_eq!(process.container_id, CONTAINER);
    assert_eq!(process.service_namespace, "n");
    assert_eq!(process.service_version, "1.2");
    assert_eq!(process.deployment_environment, "prod");
    assert!(process.instrumented);
}

#[test]
fn a_process_is_read_once() {
    let proc = Proc::new();
    proc.start(1, 10, "nginx");
    let mut processes = proc.processes();
    let first = processes.get(1, "");
    proc.write("1/environ", "OTEL_SERVICE_NAME=later\0");
    let later = processes.get_at(1, "", Instant::now() + 2 * BELIEVED);
    assert!(Arc::ptr_eq(&first, &later));
}

#[test]
fn a_reused_pid_is_another_process() {
    let proc = Proc::new();
    proc.start(1, 10, "nginx");
    let mut processes = proc.processes();
    let first = processes.get(1, "");
    proc.end(1);
    let dead = processes.get_at(1, "", Instant::now() + 2 * BELIEVED);
    assert!(Arc::ptr_eq(&first, &dead), "the dead stay known");
    proc.start(1, 11, "curl");
    let second = processes.get_at(1, "", Instant::now() + 4 * BELIEVED);
    assert_eq!(second.executable_name, "curl");
    assert_ne!(first.service_instance_id, second.service_instance_id);
}

#[test]
fn an_instance_id_is_a_uuid_that_stays() {
    let proc = Proc::new();
    proc.start(1, 10, "nginx");
    let id = proc.processes().get(1, "").service_instance_id.clone();
    assert_eq!(proc.processes().get(1, "").service_instance_id, id);
    let lengths: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
    assert!(id.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()), "{id}");
    assert_eq!(id.as_bytes().get(14), Some(&b'8'), "{id} is of version 8");
    assert!(matches!(id.as_bytes().get(19), Some(b'8' | b'9' | b'a' | b'b')), "{id}");
}

#[test]
fn of_a_process_that_is_gone_the_pid_and_the_kernels_name_are_known() {
    let proc = Proc::new();
    let mut processes = proc.processes();
    let gone = processes.get(4242, "curl");
    assert_eq!((gone.pid, gone.executable_name.as_str()), (4242, "curl"));
    assert_eq!(gone.service_name, "curl");
    assert!(!gone.instrumented);
    assert_eq!(processes.get(0, "swapper").service_name, "", "pid 0 is nobody");
}

#[test]
fn a_full_table_forgets_the_least_recently_used() {
    let proc = Proc::new();
    let mut processes = proc.processes();
    let start = Instant::now();
    let at = |n: u32| start + Duration::from_micros(n.into());
    let full = u32::try_from(ENTRIES_MAX).expect("the bound is small");
    for pid in 1..=full {
        processes.get_at(pid, "", at(pid));
    }
    processes.get_at(1, "", at(full + 1));
    processes.get_at(full + 1, "", at(full + 2));
    assert_eq!(processes.entries.len(), ENTRIES_MAX - EVICTED + 1);
    let known = |pid| processes.entries.contains_key(&pid);
    assert!(known(1) && known(full) && known(full + 1));
    assert!(!known(2));
}

/// A real process that is killed at the end.
struct Running(Child);

impl Running {
    /// Starts a shell that says when it runs, so that its own environment is there to be read.
    fn with(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "echo ready; read line"]).env_clear();
        command.env("PATH", "/usr/bin:/bin").envs(variables.iter().copied());
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = pipes.spawn().expect("there is a shell");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("the shell says that it runs");
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.kill().and_then(|()| self.0.wait()).is_err() {
            eprintln!("process {} is left behind", self.0.id());
        }
    }
}

#[test]
fn a_real_process_is_read() {
    let running = Running::with(&[("OTEL_SERVICE_NAME", "shop")]);
    let process = Processes::new("/proc").get(running.pid(), "");
    assert_eq!((process.pid, process.service_name.as_str()), (running.pid(), "shop"));
    assert!(!process.executable_name.is_empty());
    assert_eq!(process.service_instance_id.len(), 36);
    assert!(!process.instrumented);
}

#[test]
fn a_real_process_with_an_exporter_is_instrumented() {
    let running = Running::with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")]);
    assert!(Processes::new("/proc").get(running.pid(), "").instrumented);
}

#[test]
fn a_real_process_without_a_name_is_named_after_its_program_or_its_unit() {
    let running = Running::with(&[]);
    let process = Processes::new("/proc").get(running.pid(), "");
    let cgroup = fs::read_to_string(format!("/proc/{}/cgroup", running.pid()));
    let in_unit = cgroup.expect("the process runs").contains(".service");
    assert!(in_unit || process.service_name == process.executable_name, "{process:?}");
}

#[test]
fn two_real_processes_have_two_instance_ids() {
    let (one, two) = (Running::with(&[]), Running::with(&[]));
    let mut processes = Processes::new("/proc");
    let id = |process: Arc<super::Process>| process.service_instance_id.clone();
    assert_ne!(id(processes.get(one.pid(), "")), id(processes.get(two.pid(), "")));
}
