//! Which container a cgroup path names: the ids that engines leave there, for hosts where no engine can be asked. Pure.
//!
//! Only paths that engines are known to make are taken for containers; a systemd service or a login session is none.

use crate::model::Engine;

/// The container that a cgroup path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who made it, as far as the path tells.
    pub engine: Engine,
    /// The engine's full id, or the name where the engine has no ids (LXC, nspawn, pcapsule).
    pub id: String,
    /// The pod around it: a Kubernetes pod's uid or a Podman pod's id.
    pub pod: Option<String>,
}

impl Origin {
    /// Reads a path below the cgroup mount point. Containers nest: the innermost is the answer, and the processes that
    /// merely watch over a container (conmon, the LXC monitor, nspawn's supervisor) belong to whatever is around it.
    pub fn of_cgroup(path: &str) -> Option<Self> {
        // With its systemd driver but without systemd, runc leaves "slice:prefix:id" as one directory.
        let segments: Vec<&str> = path.split(['/', ':']).filter(|segment| !segment.is_empty()).collect();
        (0..segments.len()).rev().find_map(|depth| {
            let (around, inside) = (&segments[..depth], &segments[depth + 1..]);
            let (engine, id) = container(around, segments[depth], inside)?;
            let pod = (0..depth).rev().find_map(|depth| pod(&segments[..depth], segments[depth]));
            Some(Self { engine, id, pod })
        })
    }

    /// What to call it when no engine gives it a name: its name where ids are names, otherwise the id's beginning.
    pub fn name(&self) -> &str {
        if is_id(&self.id) { &self.id[..12] } else { &self.id }
    }
}

/// One segment with those around it and those inside it.
fn container(around: &[&str], segment: &str, inside: &[&str]) -> Option<(Engine, String)> {
    let parent = around.last().copied().unwrap_or_default();
    let unit = segment.strip_suffix(".scope").unwrap_or(segment);
    let named = |engine, name: &str| (!name.is_empty()).then(|| (engine, name.to_owned()));
    if let Some(found) = by_prefix(unit) {
        return Some(found);
    }
    if is_id(unit) && !is_podman_pod(around, unit) {
        return Some((engine_by_parents(around), unit.to_owned()));
    }
    match parent {
        "lxc" | "lxc.payload" => named(Engine::Lxc, segment),
        "machine.slice" if !inside.contains(&"supervisor") => {
            machine(segment).and_then(|name| named(Engine::Nspawn, &name))
        }
        "pcapsule" => named(Engine::Pcapsule, segment),
        _ => named(Engine::Lxc, segment.strip_prefix("lxc.payload.")?),
    }
}

/// `PREFIX-<id>`, as units below a slice are called.
fn by_prefix(unit: &str) -> Option<(Engine, String)> {
    let prefixes = [
        ("docker-", Engine::Docker),
        ("libpod-payload-", Engine::Podman),
        ("libpod-", Engine::Podman),
        ("cri-containerd-", Engine::Containerd),
        ("nerdctl-", Engine::Containerd),
        ("crio-", Engine::Crio),
    ];
    prefixes.into_iter().find_map(|(prefix, engine)| {
        let id = unit.strip_prefix(prefix).filter(|rest| is_id(rest))?;
        Some((engine, id.to_owned()))
    })
}

/// A bare id: the engine's word stands further out, if anywhere.
fn engine_by_parents(around: &[&str]) -> Engine {
    let parent = around.last().copied().unwrap_or_default();
    let in_kubernetes = || around.iter().any(|segment| segment.starts_with("kubepods"));
    match parent {
        "docker" => Engine::Docker,
        "default" | "k8s.io" | "moby" | "cri-containerd" => Engine::Containerd,
        "crio" => Engine::Crio,
        _ if in_kubernetes() => Engine::Containerd,
        _ if around.contains(&"ecs") => Engine::Docker,
        _ => Engine::Other("oci".to_owned()),
    }
}

/// A machine known to systemd: `machine-NAME.scope` or `systemd-nspawn@NAME.service`, without libvirt's (virtual machines
/// and its own LXC driver), whose processes are on the host's side.
fn machine(segment: &str) -> Option<String> {
    let nspawn = || segment.strip_prefix("systemd-nspawn@")?.strip_suffix(".service");
    let scope = || segment.strip_prefix("machine-")?.strip_suffix(".scope");
    let name = unescape(nspawn().or_else(scope)?);
    let libvirt = name.starts_with("qemu-") || name.starts_with("lxc-");
    (!libvirt).then_some(name)
}

/// systemd writes odd characters in unit names as `\x2d` (`systemd.unit(5)`).
fn unescape(name: &str) -> String {
    let mut parts = name.split("\\x");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii) {
            Some(byte) => {
                plain.push(byte.into());
                plain.push_str(&part[2..]);
            }
            None => plain.extend(["\\x", part]),
        }
    }
    plain
}

fn pod(around: &[&str], segment: &str) -> Option<String> {
    if is_podman_pod(around, segment) {
        return Some(segment.to_owned());
    }
    let unit = segment.strip_suffix(".slice").unwrap_or(segment);
    if let Some((_, id)) = unit.split_once("libpod_pod_") {
        return Some(id.to_owned());
    }
    let uid = match unit.strip_prefix("kubepods") {
        Some(rest) => rest.rsplit_once("-pod")?.1,
        None => unit.strip_prefix("pod")?,
    };
    let uid = uid.replace('_', "-");
    let is_uid = uid.len() >= 32 && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_uid.then_some(uid)
}

/// Without systemd, Podman puts a pod's containers, and their conmon, into a directory with the pod's id.
fn is_podman_pod(around: &[&str], segment: &str) -> bool {
    around.last() == Some(&"libpod_parent") && is_id(segment)
}

/// Full container ids are 64 hexadecimal digits with every OCI engine.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "4f1c0a9be7d2538864f1c0a9be7d2538864f1c0a9be7d2538864f1c0a9be7d25";
    const B: &str = "b07ad6a1c3e9f05442b07ad6a1c3e9f05442b07ad6a1c3e9f05442b07ad6a1c3";
    const UID: &str = "0b1f5b3c-7a0e-4c0f-9d53-0e5d3ff5a1c2";

    /// `A`, `B`, `UID` and `U_ID` (the uid as systemd units write it) stand for themselves.
    fn plain(text: &str) -> String {
        let text = text.replace("{U_ID}", &UID.replace('-', "_")).replace("{UID}", UID);
        text.replace("{A}", A).replace("{B}", B)
    }

    fn origin(path: &str) -> Option<(Engine, String, Option<String>)> {
        Origin::of_cgroup(&plain(path)).map(|origin| (origin.engine, origin.id, origin.pod))
    }

    #[test]
    fn engines_are_told_by_their_paths() {
        let oci = || Engine::Other("oci".to_owned());
        let cases = [
            ("/docker/{A}", Engine::Docker, A),
            ("/system.slice/docker-{A}.scope", Engine::Docker, A),
            ("/system.slice/docker-{A}.scope/init.scope", Engine::Docker, A),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/docker-{A}.scope", Engine::Docker, A),
            ("/docker/{A}/docker/{B}", Engine::Docker, B),
            ("/docker/{A}/system.slice/nginx.service", Engine::Docker, A),
            ("/docker/{A}/libpod_parent/libpod-{B}", Engine::Podman, B),
            ("/docker/{A}/libpod_parent/libpod-conmon-{B}", Engine::Docker, A),
            ("/../{A}", oci(), A),
            ("/ecs/0a1b2c/{A}", Engine::Docker, A),
            ("/my/parent/{A}", oci(), A),
            ("/machine.slice/libpod-{A}.scope", Engine::Podman, A),
            ("/machine.slice/libpod-{A}.scope/container", Engine::Podman, A),
            ("/libpod_parent/libpod-{A}", Engine::Podman, A),
            ("/system.slice/web.service/libpod-payload-{A}", Engine::Podman, A),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope/container",
                Engine::Podman,
                A,
            ),
            ("/default/{A}", Engine::Containerd, A),
            ("/system.slice/nerdctl-{A}.scope", Engine::Containerd, A),
            ("/system.slice/containerd.service/k8s.io/{A}", Engine::Containerd, A),
            ("/lxc/web", Engine::Lxc, "web"),
            ("/lxc.payload.web", Engine::Lxc, "web"),
            ("/lxc.payload.web/system.slice/ssh.service", Engine::Lxc, "web"),
            ("/lxc.payload/web", Engine::Lxc, "web"),
            ("/lxc/web/lxc/inner", Engine::Lxc, "inner"),
            ("/machine.slice/machine-deb12.scope", Engine::Nspawn, "deb12"),
            ("/machine.slice/machine-deb\\x2d12.scope/payload/init.scope", Engine::Nspawn, "deb-12"),
            ("/machine.slice/systemd-nspawn@web.service/payload", Engine::Nspawn, "web"),
            ("/pcapsule/web", Engine::Pcapsule, "web"),
        ];
        for (path, engine, id) in cases {
            assert_eq!(origin(path), Some((engine, id.to_owned(), None)), "{path}");
        }
    }

    #[test]
    fn pods_are_told_too() {
        let cases = [
            ("/kubepods/besteffort/pod{UID}/{A}", Engine::Containerd, UID),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{U_ID}.slice/cri-containerd-{A}.scope",
                Engine::Containerd,
                UID,
            ),
            ("/kubepods.slice/kubepods-pod{U_ID}.slice/crio-{A}.scope", Engine::Crio, UID),
            ("/kubepods.slice/kubepods-pod{U_ID}.slice/crio-{A}", Engine::Crio, UID),
            ("/kubepods.slice/kubepods-burstable-pod{U_ID}.slice/docker-{A}.scope", Engine::Docker, UID),
            (
                "/system.slice/containerd.service/kubepods-besteffort-pod{U_ID}.slice:cri-containerd:{A}",
                Engine::Containerd,
                UID,
            ),
            ("/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope", Engine::Podman, "{B}"),
            ("/libpod_parent/{B}/libpod-{A}", Engine::Podman, "{B}"),
        ];
        for (path, engine, pod) in cases {
            assert_eq!(origin(path), Some((engine, A.to_owned(), Some(plain(pod)))), "{path}");
        }
    }

    #[test]
    fn other_cgroups_are_no_containers() {
        for path in [
            "/",
            "",
            "/init.scope",
            "/system.slice/docker.service",
            "/system.slice/containerd.service",
            "/user.slice/user-1000.slice/session-2.scope",
            "/machine.slice/libpod-conmon-{A}.scope",
            "/libpod_parent/conmon",
            "/libpod_parent/{A}/conmon",
            "/kubepods.slice/kubepods-pod{U_ID}.slice/crio-conmon-{A}.scope",
            "/lxc.monitor.web",
            "/lxc.monitor/web",
            "/machine.slice/machine-deb.scope/supervisor",
            "/machine.slice/systemd-nspawn@web.service/supervisor",
            "/machine.slice/machine-qemu\\x2d1\\x2dwin.scope",
            "/machine.slice",
            "/docker/4f1c0a9be7d2",
            "/process/287255a7bd8f7ca14f95e3f60f7d46cc",
        ] {
            assert_eq!(origin(path), None, "{path}");
        }
    }

    #[test]
    fn ids_are_cut_and_names_are_not() {
        let name = |path: &str| Origin::of_cgroup(path).map(|origin| origin.name().to_owned());
        assert_eq!(name(&format!("/docker/{A}")).as_deref(), Some(&A[..12]));
        assert_eq!(name("/lxc/a-rather-long-name").as_deref(), Some("a-rather-long-name"));
    }
}
