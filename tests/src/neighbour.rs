//! Other tools' BPF programs on the host, from `neighbour.bpf.c`, and what the kernel says of
//! attached programs (bpftool, tc).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::netns::Netns;
use crate::{run, sh, wait_for};

/// Compiles the programs of one kind, TC or sockops.
fn compile(folder: &Path, kind: &str) -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/neighbour.bpf.c");
    let object = folder.join("neighbour.o");
    let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
    let mut clang = Command::new("clang");
    clang.args(["-g", "-O2", "-target", "bpf", "-D", kind, "-c", source, "-o"]).arg(&object);
    run(clang.arg("-idirafter").arg(format!("/usr/include/{machine}-linux-gnu")));
    object
}

/// Puts a clsact filter of another tool on an interface of a namespace, or of the host.
///
/// # Panics
/// If the kernel refuses.
pub fn filter(netns: Option<&Netns>, interface: &str, hook: &str, section: &str) {
    let tc = |words: &str| netns.map_or_else(|| sh(words), |netns| netns.sh(words));
    if !tc(&format!("tc qdisc show dev {interface}")).contains("clsact") {
        tc(&format!("tc qdisc add dev {interface} clsact"));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let object = compile(folder.path(), "TC");
    tc(&format!(
        "tc filter add dev {interface} {hook} prio 7 handle 7 bpf da obj {} sec {section}",
        object.display()
    ));
}

/// The programs of the clsact filters on a hook: their names and ids.
///
/// # Panics
/// If tc fails.
#[must_use]
pub fn filters(interface: &str, hook: &str) -> Vec<(String, u64)> {
    let json = sh(&format!("tc -j filter show dev {interface} {hook}"));
    let json: Value = serde_json::from_str(&json).expect("tc -j prints JSON");
    let options = json.as_array().into_iter().flatten().map(|filter| &filter["options"]["prog"]);
    let program =
        |program: &Value| Some((program["name"].as_str()?.to_owned(), program["id"].as_u64()?));
    options.filter_map(program).collect()
}

/// How often a neighbour's program has run.
///
/// # Panics
/// If it is gone.
#[must_use]
pub fn seen(program: u64) -> u64 {
    let json = |words: &str| -> Value {
        serde_json::from_str(&sh(words)).expect("bpftool -j prints JSON")
    };
    let program = json(&format!("bpftool -j prog show id {program}"));
    let maps = program["map_ids"].as_array().expect("it uses a map");
    let counter = |id: &Value| {
        let map = json(&format!("bpftool -j map show id {id}"));
        (map["name"] == "neighbour_seen").then(|| json(&format!("bpftool -j map dump id {id}")))
    };
    let dump = maps.iter().find_map(counter).expect("it uses neighbour_seen");
    dump[0]["formatted"]["value"].as_u64().expect("it is a counter")
}

/// Ids of all BPF links of the host.
///
/// # Panics
/// If bpftool fails.
#[must_use]
pub fn links() -> Vec<u64> {
    ids("link")
}

/// Ids of all BPF programs of the host.
///
/// # Panics
/// If bpftool fails.
#[must_use]
pub fn programs() -> Vec<u64> {
    ids("prog")
}

/// bpftool fails when something goes away while it lists: another test's agent may end just then.
fn ids(kind: &str) -> Vec<u64> {
    let json: Value = wait_for("bpftool to list what there is", || {
        let output = Command::new("bpftool").args(["-j", kind, "show"]).output();
        let output = output.expect("bpftool is installed: make setup");
        output.status.success().then(|| serde_json::from_slice(&output.stdout).ok()).flatten()
    });
    json.as_array().into_iter().flatten().filter_map(|one| one["id"].as_u64()).collect()
}

/// What a process holds of a kind, `link_id` or `prog_id`, as /proc tells.
///
/// # Panics
/// If the process is gone.
#[must_use]
pub fn held(pid: u32, kind: &str) -> Vec<u64> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("the process runs");
    let infos = descriptors.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    infos
        .filter(|info| kind != "prog_id" || !info.contains("link_id:"))
        .filter_map(|info| {
            let line = info.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(':'))?;
            line.trim().parse().ok()
        })
        .collect()
}

/// Where cgroup v2 is mounted.
///
/// # Panics
/// If it is not.
#[must_use]
pub fn cgroup_root() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is mounted");
    let root = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let target = words.next()?;
        (words.next()? == "cgroup2").then(|| PathBuf::from(target))
    });
    root.expect("cgroup v2 is mounted")
}

/// A cgroup without processes; removed when dropped.
#[derive(Debug)]
pub struct Cgroup(PathBuf);

impl Default for Cgroup {
    fn default() -> Self {
        Self::new()
    }
}

impl Cgroup {
    /// Makes one.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn new() -> Self {
        let path = cgroup_root().join(format!("{}c{}", crate::prefix(), crate::unique()));
        fs::create_dir(&path).expect("root may make a cgroup");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.0) {
            eprintln!("{} was not removed: {error}", self.0.display());
        }
    }
}

/// Another tool's sockops program at a cgroup; detached when dropped.
#[derive(Debug)]
pub struct Sockops {
    folder: TempDir,
    cgroup: PathBuf,
    /// The program's id.
    pub program: u64,
}

impl Sockops {
    /// Attaches it; `flags` is `multi`, `override`, or nothing.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn attach(cgroup: &Path, flags: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().display().to_string();
        sh(&format!("mount -t bpf none {path}"));
        let mut this = Self { folder, cgroup: cgroup.to_owned(), program: 0 };
        let compiled = tempfile::tempdir().expect("a temporary folder");
        let object = compile(compiled.path(), "SOCKOPS");
        sh(&format!("bpftool prog loadall {} {path}/all", object.display()));
        let pinned = format!("{path}/all/neighbour_sock");
        let shown = sh(&format!("bpftool -j prog show pinned {pinned}"));
        let shown: Value = serde_json::from_str(&shown).expect("bpftool -j prints JSON");
        this.program = shown["id"].as_u64().expect("it is loaded");
        let cgroup = cgroup.display();
        sh(&format!("bpftool cgroup attach {cgroup} sock_ops pinned {pinned} {flags}"));
        this
    }

    /// Whether it is still attached.
    ///
    /// # Panics
    /// If bpftool fails.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        let json = sh(&format!("bpftool -j cgroup show {}", self.cgroup.display()));
        let json: Value = serde_json::from_str(&json).expect("bpftool -j prints JSON");
        json.as_array().into_iter().flatten().any(|one| one["id"].as_u64() == Some(self.program))
    }
}

impl Drop for Sockops {
    fn drop(&mut self) {
        let pinned = self.folder.path().join("all/neighbour_sock");
        let mut detach = Command::new("bpftool");
        detach.args(["cgroup", "detach"]).arg(&self.cgroup);
        detach.args(["sock_ops", "pinned"]).arg(pinned);
        let detached = detach.status().is_ok_and(|status| status.success());
        let unmounted = Command::new("umount").arg(self.folder.path()).status();
        if !detached || !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("a neighbour's sockops program was not taken away");
        }
    }
}
