//! A sandbox of bridge mode as it is from inside and from outside, and its bridge.

use std::net::IpAddr;

use serde_json::Value;

use crate::lab::{Host, Like, Running, Sandbox, Server, Tcp, Udp, ask, eventually, is_silent, said};

#[test]
fn the_lab_itself_is_steady() {
    for like in [Like::default(), Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        let before = host.snapshot();
        host.sh("busybox ping -c1 -W2 198.51.100.2 && busybox ping -c1 -W2 2001:db8:5::2");
        host.assert_as(&before);
        host.sh("ip link add intruder type bridge");
        assert!(!host.snapshot().since(&before).is_empty(), "a new link is seen");
    }
}

#[test]
fn the_labs_wires_carry_both_families() {
    let Some(host) = Host::like(Like::DOCKER) else { return };
    let before = host.snapshot();
    for address in [IpAddr::from(Host::LAN), Host::LAN6.into()] {
        for transport in [Tcp, Udp] {
            let server = Server::start(&host.place().net(), transport, (address, 8080).into(), "host");
            let answer = ask(&host.neighbour().net(), transport, (address, 8080)).expect("it answers");
            let seen =
                if address.is_ipv4() { Host::NEIGHBOUR.into() } else { IpAddr::from(Host::NEIGHBOUR6) };
            assert_eq!((answer.by.as_str(), answer.seen), ("host", seen));
            drop(server);
            assert!(is_silent(&host.neighbour().net(), transport, (address, 8080)));
        }
    }
    host.assert_as(&before);
}

/// Case 1.
#[test]
fn a_sandbox_has_what_it_takes() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &[]);
    let eth0 = sandbox.eth0();
    assert_eq!(eth0["operstate"], "UP", "{eth0}");
    assert!(flags(&sandbox.ip("link show dev lo")[0]).contains(&"LOWER_UP"), "lo is up");
    let gateway = sandbox.gateway().expect("a default route");
    sandbox.sh(&format!("busybox ping -c1 -W2 {gateway}"));
    host.sh(&format!("busybox ping -c1 -W2 {}", sandbox.address()));
    let row = host.listed(sandbox.name()).expect("it is listed");
    let address = sandbox.address().to_string();
    assert!(row.to_string().contains(&format!("\"{address}")), "{row} lacks {address}");
    sandbox.down();
    host.assert_as(&before);
}

/// Case 1: the host's end, and that it says whose it is.
#[test]
fn the_hosts_end_names_its_sandbox() {
    let Some(host) = Host::make() else { return };
    let sandbox = Sandbox::up(&host, &[]);
    let links: Value = json(&host, "ip -json -details link");
    let end = links.as_array().and_then(|links| {
        links.iter().find(|link| link["master"] == "pcapsule0" && link["linkinfo"]["info_kind"] == "veth")
    });
    let end = end.expect("a veth at the bridge");
    assert!(end["ifalias"].as_str().is_some_and(|alias| alias.starts_with("pcapsule:")), "{end}");
    assert_eq!(end["mtu"], sandbox.eth0()["mtu"]);
    assert_eq!(end["linkinfo"]["info_slave_data"]["hairpin"], true, "{end}");
}

/// Case 1: the way out, with the host's address.
#[test]
fn outside_sees_the_hosts_address() {
    for like in [Like::default(), Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        let before = host.snapshot();
        let sandbox = Sandbox::up(&host, &["--ipv6"]);
        for (to, seen) in [
            ((Host::NEIGHBOUR, 80).into(), Host::LAN.into()),
            ((Host::NEIGHBOUR6, 80).into(), Host::LAN6.into()),
        ] {
            let _server = Server::start(&host.neighbour().net(), Tcp, to, "neighbour");
            let answer = ask(&sandbox.net(), Tcp, to).expect("the neighbour answers");
            assert_eq!((answer.by.as_str(), answer.seen), ("neighbour", seen));
        }
        sandbox.down();
        host.assert_as(&before);
    }
}

/// Case 2.
#[test]
fn the_bridges_mac_is_its_own_and_stays() {
    let Some(host) = Host::make() else { return };
    let first = Sandbox::up(&host, &[]);
    let mac = link(&host, "pcapsule0")["address"].clone();
    let second = Sandbox::up(&host, &["--mac", "02:00:00:00:00:07"]);
    assert_eq!(link(&host, "pcapsule0")["address"], mac);
    assert_ne!(first.eth0()["address"], mac);
    first.down();
    assert_eq!(link(&host, "pcapsule0")["address"], mac);
    second.down();
}

/// Case 3.
#[test]
fn a_given_mac_is_kept() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &["--mac", "02:70:63:00:00:07"]);
    assert_eq!(sandbox.eth0()["address"], "02:70:63:00:00:07");
    sandbox.down();
    for wrong in ["01:00:5e:00:00:07", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "02:70:63", "nonsense"] {
        let refused = host.pcapsule(&["net", "up", "--mac", wrong]);
        assert_eq!(refused.status.code(), Some(2), "{wrong}: {}", said(&refused));
    }
    host.assert_as(&before);
}

/// Case 4: whose interface the default route has.
#[test]
fn the_mtu_is_that_of_the_way_out() {
    let Some(host) = Host::make() else { return };
    host.sh("ip link set lan0 mtu 1400");
    let sandbox = Sandbox::up(&host, &[]);
    assert_eq!(sandbox.eth0()["mtu"], 1400);
    assert_eq!(link(&host, "pcapsule0")["mtu"], 1400);
}

/// Case 4: by option, up to what IPv4 can carry; larger frames pass whole.
#[test]
fn a_given_mtu_is_kept_and_passes() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    for mtu in [1280, 9000, 65535] {
        let text = mtu.to_string();
        let sandbox = Sandbox::up(&host, &["--mtu", &text]);
        assert_eq!(sandbox.eth0()["mtu"], mtu);
        let gateway = sandbox.gateway().expect("a default route");
        let payload = (mtu - 28).min(60_000);
        sandbox.sh(&format!("busybox ping -c1 -W2 -s {payload} {gateway}"));
        sandbox.down();
    }
    for wrong in ["0", "67", "65536", "many"] {
        let refused = host.pcapsule(&["net", "up", "--mtu", wrong]);
        assert_eq!(refused.status.code(), Some(2), "{wrong}: {}", said(&refused));
    }
    host.assert_as(&before);
}

/// Case 4: from a bridge that is there.
#[test]
fn an_existing_bridge_gives_its_mtu() {
    let Some(host) = Host::make() else { return };
    host.sh(USERS_BRIDGE);
    host.sh("ip link set br9 mtu 1300");
    let sandbox = Sandbox::up(&host, &["--bridge", "br9"]);
    assert_eq!(sandbox.eth0()["mtu"], 1300);
}

/// Case 5.
#[test]
fn a_link_that_is_no_bridge_is_not_taken_for_one() {
    let Some(host) = Host::make() else { return };
    host.sh("ip link add pcapsule0 type veth peer name other0");
    let before = host.snapshot();
    for options in [&[][..], &["--bridge", "lan0"]] {
        let refused = host.pcapsule(&[&["net", "up"], options].concat());
        assert!(!refused.status.success(), "{options:?} is refused");
        assert!(
            said(&refused).contains("as a bridge") && said(&refused).contains("veth"),
            "{}",
            said(&refused)
        );
        host.assert_as(&before);
    }
}

/// Case 7.
#[test]
fn the_bridge_goes_with_the_last_sandbox() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let [first, second] = [Sandbox::up(&host, &[]), Sandbox::up(&host, &["-p", "8080:80"])];
    first.down();
    second.assert_published();
    second.down();
    host.assert_as(&before);
    let links = json(&host, "ip -json link");
    assert_eq!(links.as_array().map(Vec::len), Some(2), "lo and lan0: {links}");
}

const USERS_BRIDGE: &str = "ip link add br9 address 02:00:00:00:00:99 type bridge
    ip link set br9 addrgenmode none
    ip addr add 10.99.0.1/24 dev br9
    ip link add br9a type veth peer name br9b
    ip link set br9a addrgenmode none
    ip link set br9b addrgenmode none
    ip link set br9a master br9 up
    ip link set br9b up
    ip link set br9 up";

/// A bridge of somebody else's serves, and stays.
#[test]
fn a_users_bridge_is_used_and_kept() {
    let Some(host) = Host::make() else { return };
    host.sh(USERS_BRIDGE);
    eventually("it is up", || host.sh("ip link show dev br9").contains("state UP").then_some(()));
    let before = host.snapshot();
    let [first, second] = [(); 2].map(|()| Sandbox::up(&host, &["--bridge", "br9"]));
    assert!(
        first.network().ends_with("/24") && first.network().starts_with("10.99.0."),
        "{}",
        first.network()
    );
    second.sh(&format!("busybox ping -c1 -W2 {}", first.address()));
    first.down();
    second.down();
    host.assert_as(&before);
}

/// Case 9: both families, and the second not with addresses of the first's.
#[test]
fn with_ipv6_both_families_work() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let [first, second] = [(); 2].map(|()| Sandbox::up(&host, &["--ipv6"]));
    assert!(first.address6().is_unique_local(), "{}", first.address6());
    assert_ne!(first.address6(), second.address6());
    let server = second.serve(Tcp, 80);
    for to in [(second.address(), 80).into(), std::net::SocketAddr::from((second.address6(), 80))] {
        assert!(ask(&first.net(), Tcp, to).is_some(), "{to}");
    }
    drop(server);
    first.down();
    second.down();
    host.assert_as(&before);
}

/// Case 9: no address of the link either, which neighbours could use.
#[test]
fn without_ipv6_there_is_none() {
    let Some(host) = Host::make() else { return };
    let sandbox = Sandbox::up(&host, &[]);
    assert_eq!(sandbox.sh("ip -6 addr show dev eth0"), "");
    assert_eq!(host.sh("ip -6 addr show dev pcapsule0"), "");
    assert!(!host.sh("ip -6 addr").contains("fe80:"), "no link-local address at the bridge");
}

/// Case 10.
#[test]
fn an_internal_network_has_no_way_out() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let [first, second] = [(); 2].map(|()| Sandbox::up(&host, &["--internal"]));
    assert_eq!(first.gateway(), None);
    let server = second.serve(Tcp, 80);
    assert!(ask(&first.net(), Tcp, (second.address(), 80)).is_some(), "members talk");
    let outside = Server::start(&host.neighbour().net(), Tcp, (Host::NEIGHBOUR, 80).into(), "outside");
    first.sh("ip route add default dev eth0");
    assert!(is_silent(&first.net(), Tcp, (Host::NEIGHBOUR, 80)), "not even with a route");
    drop((server, outside));
    first.down();
    second.down();
    host.assert_as(&before);
}

/// It cannot go out, but may be asked.
#[test]
fn ports_of_an_internal_sandbox_answer_everywhere() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &["--internal", "-p", "8080:80", "-p", "5353:53/udp"]);
    let servers = [sandbox.serve(Tcp, 80), sandbox.serve(Udp, 53)];
    for (transport, port) in [(Tcp, 8080), (Udp, 5353)] {
        assert!(ask(&host.neighbour().net(), transport, (Host::LAN, port)).is_some(), "{port} from outside");
        for address in [Host::LAN, std::net::Ipv4Addr::LOCALHOST] {
            assert!(ask(&host.place().net(), transport, (address, port)).is_some(), "{port} at {address}");
        }
    }
    drop(servers);
    sandbox.down();
    host.assert_as(&before);
}

/// Case 11: what cannot be set is told, and nothing stays half done.
#[test]
fn read_only_kernel_variables_are_told() {
    let Some(host) = Host::make() else { return };
    host.sh("mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys");
    let before = host.snapshot();
    let refused = host.pcapsule(&["net", "up"]);
    assert!(!refused.status.success(), "variables must be set that cannot be");
    assert!(
        said(&refused).contains("net.ipv6.conf") && said(&refused).contains("Read-only"),
        "{}",
        said(&refused)
    );
    host.assert_as(&before);
}

/// Case 12: one default route, through the bridge.
#[test]
fn there_is_one_default_route() {
    let Some(host) = Host::make() else { return };
    let running = Running::start(&host, &[]);
    let routes = running.ip("route show default");
    assert_eq!(routes.as_array().map(Vec::len), Some(1), "{routes}");
    let gateway = running.gateway().expect("a gateway").to_string();
    assert!(
        host.sh("ip addr show dev pcapsule0").contains(&format!("inet {gateway}/")),
        "{gateway} is the bridge's"
    );
}

fn link(host: &Host, name: &str) -> Value {
    json(host, &format!("ip -json -details link show dev {name}"))[0].clone()
}

fn json(host: &Host, line: &str) -> Value {
    serde_json::from_str(&host.sh(line)).expect("ip prints JSON")
}

fn flags(link: &Value) -> Vec<&str> {
    link["flags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
