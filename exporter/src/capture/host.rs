//! What the host must have, each with its own message when it has not.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// The oldest kernel that the programs are tried on.
const OLDEST_KERNEL: (u32, u32) = (6, 1);
const BTF: &str = "/sys/kernel/btf/vmlinux";
/// Capability numbers (capabilities(7)): CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF.
const CAPABILITIES: [(u32, &str); 3] =
    [(12, "CAP_NET_ADMIN"), (38, "CAP_PERFMON"), (39, "CAP_BPF")];

/// Checks everything that attaching needs.
///
/// # Errors
/// If something is missing: what, and how to get it.
pub(super) fn check() -> Result<()> {
    let status = fs::read_to_string("/proc/self/status").context("/proc is not mounted")?;
    check_capabilities(&status)?;
    check_kernel(&rustix::system::uname().release().to_string_lossy())?;
    ensure!(
        Path::new(BTF).exists(),
        "the kernel has no BTF ({BTF} is missing): boot a kernel built with CONFIG_DEBUG_INFO_BTF=y, \
         as the distributions' own kernels are"
    );
    Ok(())
}

fn check_capabilities(status: &str) -> Result<()> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .context("/proc/self/status has no CapEff line")?;
    let missing: Vec<&str> = CAPABILITIES
        .iter()
        .filter(|(number, _)| mask >> number & 1 == 0)
        .map(|(_, name)| *name)
        .collect();
    ensure!(
        missing.is_empty(),
        "headertap lacks {}: run it as root (sudo headertap run), or give the service these \
         capabilities",
        missing.join(", ")
    );
    Ok(())
}

fn check_kernel(release: &str) -> Result<()> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else {
        bail!("the kernel's release {release:?} is no version");
    };
    let (oldest_major, oldest_minor) = OLDEST_KERNEL;
    ensure!(
        (major, minor) >= OLDEST_KERNEL,
        "Linux {release} is too old: headertap needs {oldest_major}.{oldest_minor} or newer \
         (Debian 12, Ubuntu 24.04, RHEL 10 have it)"
    );
    Ok(())
}

/// Where cgroup v2 is mounted; hybrid hosts have it beside cgroup v1.
///
/// # Errors
/// If it is not mounted: how to mount it.
pub(super) fn cgroup_root() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("/proc is not mounted")?;
    find_cgroup2(&mounts).context(
        "cgroup v2 is not mounted: boot with systemd.unified_cgroup_hierarchy=1, or \
         mount -t cgroup2 none /sys/fs/cgroup/unified",
    )
}

fn find_cgroup2(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let target = words.next()?;
        (words.next()? == "cgroup2").then(|| PathBuf::from(target))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup_v2_is_found_on_unified_and_hybrid_hosts() {
        let unified = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n";
        let hybrid = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(find_cgroup2(unified), Some(PathBuf::from("/sys/fs/cgroup")));
        assert_eq!(find_cgroup2(hybrid), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(find_cgroup2("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"), None);
    }

    #[test]
    fn a_kernel_older_than_6_1_is_refused_by_name() {
        let error = check_kernel("5.15.0-91-generic").expect_err("it is too old").to_string();
        assert!(error.contains("5.15.0-91-generic") && error.contains("6.1"), "{error}");
        for release in ["6.1.0-56-cloud-amd64", "6.18.44", "7.0.0-rc1"] {
            check_kernel(release).expect("it is new enough");
        }
    }

    #[test]
    fn a_missing_capability_is_named() {
        let error = check_capabilities("CapEff:\t0000000000000000\n").expect_err("none is there");
        assert!(error.to_string().contains("CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF"), "{error}");
        check_capabilities("CapEff:\t000001ffffffffff\n").expect("all are there");
    }
}
