//! `/proc/<pid>/cgroup`: its lines in, the container and the systemd unit they name out.
//!
//! Knows the paths of docker, containerd, CRI-O and podman under both cgroup drivers, and of
//! Kubernetes around them. Asks no runtime.

const CONTAINER_ID_DIGITS: usize = 64;

/// The id of the innermost container that a process is in.
pub(super) fn container_id(cgroup: &str) -> Option<&str> {
    paths(cgroup).find_map(|path| path.rsplit('/').find_map(component_id))
}

/// The id in `docker-<id>.scope`, `cri-containerd-<id>.scope`, `libpod-<id>.scope`, `<id>` or
/// `<slice>:cri-containerd:<id>`. A conmon is the container's monitor, which runs outside it.
fn component_id(component: &str) -> Option<&str> {
    let name = component.strip_suffix(".scope").unwrap_or(component);
    let id = name.rsplit(['-', ':']).next().unwrap_or(name);
    let is_hex = id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (id.len() == CONTAINER_ID_DIGITS && is_hex && !name.contains("conmon")).then_some(id)
}

/// The systemd service that a process belongs to, without `.service`. A user's own manager
/// (`user@1000.service`) is not a service that somebody would look for.
pub(super) fn systemd_unit(cgroup: &str) -> Option<String> {
    let service = |component: &str| {
        let unit = unescape(component.strip_suffix(".service")?);
        (!unit.starts_with("user@")).then_some(unit)
    };
    paths(cgroup).find_map(|path| path.rsplit('/').find_map(service))
}

/// The paths of all hierarchies: v2 (`0::`) first, then systemd's own, then the others.
fn paths(cgroup: &str) -> impl Iterator<Item = &str> {
    let mut lines: Vec<(u8, &str)> = cgroup.lines().filter_map(ranked_path).collect();
    lines.sort_by_key(|(rank, _)| *rank);
    lines.into_iter().map(|(_, path)| path)
}

fn ranked_path(line: &str) -> Option<(u8, &str)> {
    let (hierarchy, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let rank = match (hierarchy, controllers) {
        ("0", "") => 0,
        (_, "name=systemd") => 1,
        _ => 2,
    };
    Some((rank, path))
}

/// `my\x2dapp` as `my-app` (systemd.unit(5), string escaping).
fn unescape(unit: &str) -> String {
    let mut parts = unit.split("\\x");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, part.get(2..)) {
            (Some(byte), Some(rest)) if byte.is_ascii() => {
                plain.push(char::from(byte));
                plain.push_str(rest);
            }
            _ => {
                plain.push_str("\\x");
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{container_id, systemd_unit};

    const ID: &str = "4f2c1e0d9b8a7f6e5d4c3b2a19080706f5e4d3c2b1a09f8e7d6c5b4a39281706";
    const OUTER: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

    #[test]
    fn a_container_is_known_under_every_runtime() {
        for path in [
            "0::/system.slice/docker-ID.scope",
            "12:memory:/docker/ID\n0::/",
            "0::/docker/OUTER/docker/ID",
            "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope",
            "5:cpu:/kubepods/burstable/pod0e4f7c0e-0000-4000-8000-000000000000/ID",
            "0::/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:ID",
            "0::/kubepods.slice/kubepods-pod1.slice/crio-ID.scope",
            "0::/machine.slice/libpod-ID.scope/container",
            "0::/user.slice/user-1.slice/user@1.service/user.slice/libpod-ID.scope",
            "0::/../../kubepods-pod1.slice/cri-containerd-ID.scope",
        ] {
            let cgroup = path.replace("ID", ID).replace("OUTER", OUTER);
            assert_eq!(container_id(&cgroup), Some(ID), "{path}");
        }
    }

    #[test]
    fn what_is_not_in_a_container_has_no_id() {
        for path in [
            "",
            "0::/",
            "0::/system.slice/nginx.service",
            "0::/machine.slice/libpod-conmon-ID.scope",
            "0::/kubepods.slice/crio-conmon-ID.scope",
            "0::/docker/abcdef",
            "0::/system.slice/run-IDa.scope",
        ] {
            assert_eq!(container_id(&path.replace("ID", ID)), None, "{path}");
        }
    }

    #[test]
    fn a_systemd_service_is_known_in_both_cgroup_versions() {
        for (cgroup, unit) in [
            ("0::/system.slice/nginx.service", Some("nginx")),
            ("3:cpu:/\n1:name=systemd:/system.slice/nginx.service\n0::/", Some("nginx")),
            ("1:name=systemd:/system.slice/nginx.service", Some("nginx")),
            ("0::/system.slice/postgresql@15-main.service", Some("postgresql@15-main")),
            ("0::/system.slice/my\\x2dapp.service/worker", Some("my-app")),
            ("0::/user.slice/user@1.service/app.slice/app-demo.service", Some("app-demo")),
            ("0::/user.slice/user@1.service/tmux.scope", None),
            ("0::/user.slice/session-1.scope", None),
            ("nonsense", None),
        ] {
            assert_eq!(systemd_unit(cgroup).as_deref(), unit, "{cgroup}");
        }
    }

    #[test]
    fn a_broken_escape_is_left_as_it_is() {
        let unit = |text| systemd_unit(&format!("0::/{text}.service"));
        assert_eq!(unit("a\\xzzb").as_deref(), Some("a\\xzzb"));
        assert_eq!(unit("a\\x2").as_deref(), Some("a\\x2"));
        assert_eq!(unit("a\\xff").as_deref(), Some("a\\xff"));
    }
}
