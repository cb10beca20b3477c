//! Discovery against the real kernel: odd namespaces built for the purpose, with `ip -j` as a second opinion.
//!
//! Needs root. Everything is made under names of its own and removed when the test ends, passed or failed.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that fails should say where, and why it skips"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use pcapsule::{
    discovery::{Topology, scan},
    model::{Container, Endpoint, Engine, HostSide, LinkName, NamespaceId, NetworkMode},
    sys::{
        netlink::{Change, Changes, ForwardingOrigin, Netlink, RouteKind},
        netns::Namespace,
        sysctl,
    },
};
use serde_json::Value;

/// What a test has made, and how to get rid of it.
struct Lab {
    prefix: String,
    sleepers: Vec<Child>,
    cgroups: Vec<PathBuf>,
}

impl Lab {
    /// `None`, with the reason printed, where tests of this kind cannot run. `tag` has at most two bytes, because
    /// names of interfaces have 15.
    fn new(tag: &str) -> Option<Self> {
        let required = std::env::var("PCAPSULE_REQUIRE").unwrap_or_default();
        if let Err(reason) = can_make_namespaces() {
            assert!(!required.split(',').any(|word| word == "netns"), "required, but {reason}");
            eprintln!("skipped: {reason}");
            return None;
        }
        Some(Self { prefix: format!("pcs-kernel-{tag}"), sleepers: Vec::new(), cgroups: Vec::new() })
    }

    fn name(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.prefix)
    }

    /// Makes a named namespace without a process.
    fn netns(&self, suffix: &str) -> String {
        let name = self.name(suffix);
        ip(&["netns", "add", &name]);
        name
    }

    fn bridge(&self, suffix: &str) -> String {
        let name = self.name(suffix);
        ip(&["link", "add", &name, "type", "bridge"]);
        name
    }

    /// Makes a pair, its far end born inside `netns` (a name or a pid) as `inside`.
    fn veth(&self, suffix: &str, inside: &str, netns: &str) -> String {
        let name = self.name(suffix);
        ip(&["link", "add", &name, "type", "veth", "peer", "name", inside, "netns", netns]);
        name
    }

    /// Starts a command that ends in `sleep 1000`, and waits until it sleeps. Returns its pid.
    fn sleeper(&mut self, command: &str) -> u32 {
        let words: Vec<&str> = command.split(' ').collect();
        let child = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        self.sleepers.push(child);
        until("the process sleeps", || fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() == "sleep\n");
        pid
    }

    /// Moves a process to a cgroup of its own, in whichever hierarchy there is.
    fn cgroup(&mut self, pid: u32, below: &str, suffix: &str) {
        let roots = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
        let root = roots.map(Path::new).into_iter().find(|root| root.join("cgroup.procs").exists()).unwrap();
        let directory = root.join(below).join(self.name(suffix));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("cgroup.procs"), pid.to_string()).unwrap();
        self.cgroups.push(directory);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for sleeper in &mut self.sleepers {
            let _ = sleeper.kill();
            let _ = sleeper.wait();
        }
        let ours = |name: &String| name.starts_with(&self.prefix);
        for name in named_namespaces().iter().filter(|name| ours(name)) {
            run("ip", &["netns", "del", name]);
        }
        for name in host_links().iter().filter(|name| ours(name)) {
            // The other end of a pair is gone together with the first one.
            let _ = Command::new("ip").args(["link", "del", name]).stderr(Stdio::null()).status();
        }
        for directory in &self.cgroups {
            until("the cgroup is empty", || fs::remove_dir(directory).is_ok());
            let _ = fs::remove_dir(directory.parent().unwrap());
        }
        if !std::thread::panicking() {
            until("nothing is left behind", || !host_links().iter().chain(&named_namespaces()).any(ours));
        }
    }
}

fn can_make_namespaces() -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("namespaces can be made by root only".to_owned());
    }
    let made = Command::new("unshare").args(["-n", "ip", "-V"]).stdout(Stdio::null()).status();
    match made {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("unshare -n is not permitted".to_owned()),
        Err(error) => Err(format!("unshare: {error}")),
    }
}

fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !done() {
        assert!(Instant::now() < deadline, "in vain waited until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {complaint}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

fn ip(arguments: &[&str]) -> String {
    run("ip", arguments)
}

fn ip_json(arguments: &[&str]) -> Vec<Value> {
    let text = ip(&[&["-j"], arguments].concat());
    if text.trim().is_empty() { Vec::new() } else { serde_json::from_str(&text).unwrap() }
}

fn named_namespaces() -> BTreeSet<String> {
    ip_json(&["netns"]).iter().map(|netns| netns["name"].as_str().unwrap().to_owned()).collect()
}

fn host_links() -> BTreeSet<String> {
    ip_json(&["link"]).iter().map(|link| link["ifname"].as_str().unwrap().to_owned()).collect()
}

async fn look() -> Topology {
    Topology::join(&scan().await.unwrap().facts)
}

fn named<'a>(topology: &'a Topology, name: &str) -> &'a Container {
    let found: Vec<_> = topology.containers.iter().filter(|container| container.name == name).collect();
    assert_eq!(found.len(), 1, "containers named {name}");
    found[0]
}

fn in_namespace(topology: &Topology, pid: u32) -> &Container {
    let id = Namespace::of_process(pid).unwrap().id();
    topology.containers.iter().find(|container| container.namespace == Some(id)).unwrap()
}

fn only_endpoint(container: &Container) -> &Endpoint {
    assert_eq!(container.endpoints.len(), 1, "{container:#?}");
    &container.endpoints[0]
}

/// Far end's name, its namespace and its bridge.
fn pair(endpoint: &Endpoint) -> (&str, NamespaceId, Option<&str>) {
    match &endpoint.host_side {
        HostSide::Pair { link, namespace, bridge, .. } => {
            (link.as_str(), *namespace, bridge.as_ref().map(LinkName::as_str))
        }
        other => panic!("{}: not a pair but {other:?}", endpoint.link.name),
    }
}

/// The interface as `ip` sees it from inside.
fn assert_as_ip_says(endpoint: &Endpoint, netns: &str) {
    let link = &endpoint.link;
    let seen = &ip_json(&["-n", netns, "addr", "show", "dev", link.name.as_str()])[0];
    assert_eq!(seen["ifindex"], link.index.number());
    assert_eq!(seen["address"], link.mac.unwrap().to_string());
    assert_eq!(seen["mtu"], link.mtu);
    assert_eq!(seen["link_index"], link.lower.unwrap().index.number());
    let addresses = seen["addr_info"].as_array().unwrap().iter();
    let addresses: Vec<String> =
        addresses.map(|info| format!("{}/{}", info["local"].as_str().unwrap(), info["prefixlen"])).collect();
    assert_eq!(addresses, link.addresses.iter().map(ToString::to_string).collect::<Vec<_>>());
}

fn host_index(link: &str) -> u32 {
    let index = ip_json(&["link", "show", "dev", link])[0]["ifindex"].as_u64().unwrap();
    index.try_into().unwrap()
}

#[tokio::test]
async fn three_containers_whose_eth0_all_have_one_index() {
    let Some(lab) = Lab::new("a") else { return };
    let bridge = lab.bridge("br");
    for suffix in ["1", "2", "3"] {
        let netns = lab.netns(suffix);
        let veth = lab.veth(&format!("h{suffix}"), "eth0", &netns);
        ip(&["link", "set", &veth, "master", &bridge, "up"]);
        ip(&["-n", &netns, "addr", "add", &format!("192.0.2.{suffix}/24"), "dev", "eth0"]);
        ip(&["-n", &netns, "link", "set", "eth0", "up"]);
    }
    let topology = look().await;
    let mut indexes = BTreeSet::new();
    for suffix in ["1", "2", "3"] {
        let container = named(&topology, &lab.name(suffix));
        let endpoint = only_endpoint(container);
        let expected = (lab.name(&format!("h{suffix}")), topology.host.unwrap(), Some(bridge.as_str()));
        assert_eq!(pair(endpoint), (expected.0.as_str(), expected.1, expected.2));
        assert_as_ip_says(endpoint, &lab.name(suffix));
        assert_eq!(container.mode, NetworkMode::Bridge);
        assert_eq!(container.engine, Engine::Namespace);
        assert_eq!(container.namespace_paths, [format!("/run/netns/{}", lab.name(suffix))]);
        indexes.insert(endpoint.link.index);
    }
    assert_eq!(indexes.len(), 1, "the case needs equal indexes");
}

#[tokio::test]
async fn a_nested_container_is_not_taken_for_a_neighbour() {
    let Some(lab) = Lab::new("b") else { return };
    let (outer, inner, neighbour) = (lab.netns("o"), lab.netns("i"), lab.netns("n"));
    lab.veth("oh", "eth0", &outer);
    let foreign = lab.veth("nh", "eth0", &neighbour);
    let index = host_index(&foreign);
    let make = ["-n", &outer, "link", "add", "inner0", "index", &index.to_string(), "type", "veth"];
    ip(&[&make[..], &["peer", "name", "eth0", "netns", &inner]].concat());
    ip(&["-n", &outer, "link", "add", "br0", "type", "bridge"]);
    ip(&["-n", &outer, "link", "set", "inner0", "master", "br0"]);

    let topology = look().await;
    let (outer, inner) = (named(&topology, &outer), named(&topology, &inner));
    let endpoint = only_endpoint(inner);
    assert_eq!(endpoint.link.lower.unwrap().index.number(), index, "the case needs a foreign index");
    assert_eq!(pair(endpoint), ("inner0", outer.namespace.unwrap(), Some("br0")));
    assert_eq!(pair(only_endpoint(named(&topology, &neighbour))).0, foreign);
    assert_eq!(pair(only_endpoint(outer)).0, lab.name("oh"), "what leads inwards is left out");
    assert_eq!(topology.around(inner), [outer]);
    assert_eq!(topology.around(outer), [] as [&Container; 0]);
}

#[tokio::test]
async fn ends_with_equal_indexes_pair_up() {
    let Some(lab) = Lab::new("c") else { return };
    let netns = lab.netns("1");
    let host = lab.veth("h", "eth1", &netns);
    let twin = lab.name("t");
    let index = (host_index(&host) + 1000).to_string();
    let make = ["link", "add", &twin, "index", &index, "type", "veth", "peer", "name", "eth0"];
    ip(&[&make[..], &["index", &index, "netns", &netns]].concat());
    let topology = look().await;
    let container = named(&topology, &netns);
    let pairs: Vec<_> = container.endpoints.iter().map(|end| (end.link.name.as_str(), pair(end).0)).collect();
    assert_eq!(pairs, [("eth1", host.as_str()), ("eth0", twin.as_str())]);
}

#[tokio::test]
async fn several_interfaces_each_find_their_own_bridge() {
    let Some(lab) = Lab::new("d") else { return };
    let netns = lab.netns("1");
    for (suffix, inside) in [("a", "eth0"), ("b", "eth1")] {
        let bridge = lab.bridge(&format!("br{suffix}"));
        let veth = lab.veth(&format!("h{suffix}"), inside, &netns);
        ip(&["link", "set", &veth, "master", &bridge]);
    }
    let routed = lab.veth("hc", "eth2", &netns);
    let topology = look().await;
    let pairs: Vec<_> = named(&topology, &netns).endpoints.iter().map(pair).collect();
    let host = topology.host.unwrap();
    let (a, b) = ((lab.name("ha"), lab.name("bra")), (lab.name("hb"), lab.name("brb")));
    let expected = [
        (a.0.as_str(), host, Some(a.1.as_str())),
        (b.0.as_str(), host, Some(b.1.as_str())),
        (&routed, host, None),
    ];
    assert_eq!(pairs, expected);
}

#[tokio::test]
async fn macvlan_and_ipvlan_show_their_parent() {
    let Some(lab) = Lab::new("e") else { return };
    let parent = lab.name("p");
    ip(&["link", "add", &parent, "type", "veth", "peer", "name", &lab.name("q")]);
    for (kind, mode) in [("macvlan", NetworkMode::Macvlan), ("ipvlan", NetworkMode::Ipvlan)] {
        let netns = lab.netns(kind);
        let make = ["link", "add", "link", &parent, "name", "eth0", "netns", &netns, "type", kind];
        let made = Command::new("ip").args(make).output().unwrap();
        if !made.status.success() {
            let complaint = String::from_utf8_lossy(&made.stderr);
            assert!(
                complaint.contains("not supported") || complaint.contains("Unknown device type"),
                "{complaint}"
            );
            eprintln!("skipped: this kernel has no {kind}");
            continue;
        }
        let topology = look().await;
        let container = named(&topology, &netns);
        let HostSide::Parent { link, namespace, index } = &only_endpoint(container).host_side else {
            panic!("{container:#?}")
        };
        assert_eq!((link.as_str(), *namespace), (parent.as_str(), topology.host.unwrap()));
        assert_eq!(index.number(), host_index(&parent));
        assert_eq!(container.mode, mode);
        ip(&["netns", "del", &netns]);
    }
}

#[tokio::test]
async fn a_process_without_a_network_is_called_by_its_command() {
    let Some(mut lab) = Lab::new("f") else { return };
    let pid = lab.sleeper("unshare -n sleep 1000");
    let topology = look().await;
    let container = in_namespace(&topology, pid);
    assert_eq!(container.mode, NetworkMode::None);
    assert_eq!(container.pid, Some(pid));
    assert_eq!(container.name, format!("sleep-{}", container.namespace.unwrap().inode()));
}

#[tokio::test]
async fn cgroups_name_containers_that_share_and_those_in_host_mode() {
    let Some(mut lab) = Lab::new("g") else { return };
    let netns = lab.netns("ns");
    lab.veth("h", "eth0", &netns);
    for suffix in ["one", "two"] {
        let pid = lab.sleeper(&format!("ip netns exec {netns} sleep 1000"));
        lab.cgroup(pid, "lxc", suffix);
    }
    let on_host = lab.sleeper("sleep 1000");
    lab.cgroup(on_host, "lxc", "host");
    let plain = lab.sleeper("sleep 1000");

    let topology = look().await;
    let one = named(&topology, &lab.name("one"));
    assert_eq!((&one.engine, &one.mode), (&Engine::Lxc, &NetworkMode::Routed));
    assert_eq!(one.shares_with, [lab.name("two")]);
    assert_eq!(pair(only_endpoint(one)).0, lab.name("h"));
    let two = named(&topology, &lab.name("two"));
    assert_eq!((two.namespace, &two.shares_with), (one.namespace, &vec![lab.name("one")]));
    let host = named(&topology, &lab.name("host"));
    assert_eq!((&host.mode, host.pid, host.endpoints.len()), (&NetworkMode::Host, Some(on_host), 0));
    assert!(host.shares_with.is_empty());
    let others = topology.containers.iter().filter(|other| other.name == netns || other.pid == Some(plain));
    assert_eq!(others.count(), 0, "neither the container's own mount nor a plain process is an entry");
}

#[tokio::test]
async fn a_namespace_of_another_user_namespace_is_read() {
    let Some(mut lab) = Lab::new("i") else { return };
    let pid = lab.sleeper("unshare -Urn sleep 1000");
    let veth = lab.veth("h", "eth0", &pid.to_string());
    let topology = look().await;
    assert_eq!(pair(only_endpoint(in_namespace(&topology, pid))).0, veth);
}

#[tokio::test]
async fn rootless_containers_hang_on_a_bridge_of_their_own() {
    let Some(mut lab) = Lab::new("j") else { return };
    let router = lab.sleeper("unshare -Urn sleep 1000");
    let inside = ["-t", &router.to_string(), "-U", "-n", "--preserve-credentials"].map(str::to_owned);
    let inside: Vec<&str> = inside.iter().map(String::as_str).collect();
    let container = lab.sleeper(&format!("nsenter {} unshare -n sleep 1000", inside.join(" ")));
    let within = |arguments: &str| {
        run("nsenter", &[&inside[..], &["ip"], &arguments.split(' ').collect::<Vec<_>>()].concat())
    };
    within("link add br0 type bridge");
    within(&format!("link add v0 master br0 type veth peer name eth0 netns {container}"));
    within("tuntap add tap0 mode tap");

    let topology = look().await;
    let (router, container) = (in_namespace(&topology, router), in_namespace(&topology, container));
    assert_eq!(pair(only_endpoint(container)), ("v0", router.namespace.unwrap(), Some("br0")));
    assert_eq!(container.mode, NetworkMode::Bridge);
    assert_eq!(only_endpoint(router).link.name.as_str(), "tap0");
    assert_eq!(router.mode, NetworkMode::Tap);
    assert_eq!(topology.around(container), [router]);
}

#[tokio::test]
async fn a_mount_in_another_mount_namespace_is_found() {
    let Some(mut lab) = Lab::new("k") else { return };
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("hold");
    let file = directory.path().join(lab.name("held"));
    let file = file.to_str().unwrap();
    fs::write(&script, format!("touch {file}\nunshare --net={file} true\nexec sleep 1000\n")).unwrap();
    let pid = lab.sleeper(&format!("unshare -m sh -e {}", script.display()));
    let topology = look().await;
    let container = named(&topology, &lab.name("held"));
    assert_eq!(container.namespace_paths, [format!("/proc/{pid}/root{file}")]);
    assert_eq!((&container.mode, container.pid), (&NetworkMode::None, None));
}

#[tokio::test]
async fn containers_that_come_and_go_are_never_mismatched() {
    let Some(lab) = Lab::new("l") else { return };
    let (prefix, host_end) = (lab.prefix.clone(), lab.name("h"));
    let churn = std::thread::spawn(move || {
        for round in 0..20 {
            let netns = lab.netns(&round.to_string());
            lab.veth(&format!("h{round}"), "eth0", &netns);
            if round >= 2 {
                ip(&["netns", "del", &lab.name(&(round - 2).to_string())]);
            }
        }
    });
    while !churn.is_finished() {
        let topology = look().await;
        for container in topology.containers.iter().filter(|found| found.name.starts_with(&prefix)) {
            let far = container.endpoints.iter().filter_map(|endpoint| endpoint.host_side.link());
            for far in far {
                assert_eq!(far.as_str().replace(&host_end, &prefix), container.name);
            }
        }
    }
    churn.join().unwrap();
}

#[tokio::test]
async fn a_hundred_namespaces_are_all_found() {
    let Some(lab) = Lab::new("m") else { return };
    for suffix in 0..100 {
        let netns = lab.netns(&suffix.to_string());
        lab.veth(&format!("h{suffix}"), "eth0", &netns);
    }
    let topology = look().await;
    for suffix in 0..100 {
        let container = named(&topology, &lab.name(&suffix.to_string()));
        assert_eq!(pair(only_endpoint(container)).0, lab.name(&format!("h{suffix}")));
    }
}

#[tokio::test]
async fn tables_and_settings_are_those_of_the_namespace() {
    let Some(lab) = Lab::new("n") else { return };
    let netns = lab.netns("1");
    lab.veth("h", "eth0", &netns);
    let inside = |arguments: &str| {
        ip(&[&["-n", &netns], &arguments.split(' ').collect::<Vec<_>>()[..]].concat());
    };
    inside("addr add 192.0.2.2/24 dev eth0");
    inside("link set eth0 up");
    inside("route add default via 192.0.2.1");
    inside("route add blackhole 198.51.100.0/24");
    inside("neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0");
    ip(&["netns", "exec", &netns, "sh", "-c", "echo 93 > /proc/sys/net/ipv4/ip_default_ttl"]);

    let namespace = Namespace::open(&Path::new("/run/netns").join(&netns)).unwrap();
    let mut netlink = Netlink::open_in(&namespace).unwrap();
    let routes = netlink.routes().await.unwrap();
    let main = routes.iter().filter(|route| route.table == 254 && route.destination.address.is_ipv4());
    let main: Vec<_> = main
        .map(|route| {
            let gateway = route.next_hops.first().and_then(|hop| hop.gateway);
            (route.destination.to_string(), route.kind, gateway.map(|gateway| gateway.to_string()))
        })
        .collect();
    let route = |to: &str, kind, via: Option<&str>| (to.to_owned(), kind, via.map(str::to_owned));
    assert_eq!(
        main,
        [
            route("0.0.0.0/0", RouteKind::Unicast, Some("192.0.2.1")),
            route("192.0.2.0/24", RouteKind::Unicast, None),
            route("198.51.100.0/24", RouteKind::Blackhole, None),
        ]
    );
    let neighbours = netlink.neighbours().await.unwrap();
    let gateway = neighbours.iter().find(|neighbour| neighbour.address.to_string() == "192.0.2.1").unwrap();
    assert_eq!(gateway.mac.unwrap().to_string(), "02:00:00:00:00:01");
    assert_eq!(sysctl::read(&namespace, "net.ipv4.ip_default_ttl").unwrap(), "93");
    let host = Namespace::current().unwrap();
    assert_ne!(
        sysctl::read(&host, "net.ipv4.ip_default_ttl").unwrap(),
        "93",
        "the test's thread has not moved"
    );
}

#[tokio::test]
async fn a_bridge_knows_its_ports_addresses() {
    let Some(lab) = Lab::new("o") else { return };
    let (netns, bridge) = (lab.netns("1"), lab.bridge("br"));
    let veth = lab.veth("h", "eth0", &netns);
    ip(&["link", "set", &veth, "master", &bridge]);
    let entries = Netlink::open().unwrap().forwarding().await.unwrap();
    let (port, master) = (host_index(&veth), host_index(&bridge));
    let ours = entries.iter().find(|entry| {
        entry.port.number() == port && entry.bridge.is_some_and(|bridge| bridge.number() == master)
    });
    assert_eq!(ours.unwrap().origin, ForwardingOrigin::Permanent);
}

#[tokio::test]
async fn changes_inside_a_known_namespace_are_heard() {
    let Some(lab) = Lab::new("p") else { return };
    let netns = lab.netns("1");
    lab.veth("h", "eth0", &netns);
    look().await;
    let mut changes = Changes::listen().unwrap();
    ip(&["-n", &netns, "addr", "add", "192.0.2.2/24", "dev", "eth0"]);
    let heard = async { while changes.next().await != Some(Change::Address) {} };
    tokio::time::timeout(Duration::from_secs(5), heard).await.unwrap();
}
