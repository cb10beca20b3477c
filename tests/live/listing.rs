//! `ls` and `inspect` beside what Docker and `ip` say of the same containers.

use serde_json::Value;

use crate::lab::{Cable, Container, Engine, inspect, pcapsule, run};

#[test]
fn every_container_is_paired_with_the_veth_that_ip_pairs_it_with() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let default = engine.container("default").start();
    let two_legs = engine.container("legs").network(network.name()).start();
    run("docker", &["network", "connect", "bridge", two_legs.name()]);
    let listed = list(&[default.name(), two_legs.name()]);
    for (container, legs) in [(&default, 1), (&two_legs, 2)] {
        let found = find(&listed, container.name());
        let interfaces = found["interfaces"].as_array().expect("interfaces");
        assert_eq!(interfaces.len(), legs, "{found}");
        for interface in interfaces {
            check_against_ip(container, interface);
        }
    }
}

/// The container's end by `ip` inside, the host's end by the index that end names.
fn check_against_ip(container: &Container, interface: &Value) {
    let name = interface["name"].as_str().expect("a name");
    let inside = json(&container.namespace().ip(&["-j", "addr", "show", "dev", name]));
    let host_end = inside["link_index"].as_u64().expect("a veth names its peer");
    let links = run("ip", &["-j", "link"]);
    let links: Vec<Value> = serde_json::from_str(&links).expect("JSON");
    let veth = links.iter().find(|link| link["ifindex"] == host_end).expect("the peer is on the host");
    assert_eq!(interface["index"], inside["ifindex"]);
    assert_eq!(interface["mac"], inside["address"]);
    assert_eq!(interface["mtu"], inside["mtu"]);
    let address = &inside["addr_info"][0];
    let expected = format!("{}/{}", address["local"].as_str().expect("an address"), address["prefixlen"]);
    assert_eq!(interface["addresses"][0], expected);
    assert_eq!(interface["far_end"]["link"], veth["ifname"]);
    assert_eq!(interface["far_end"]["index"], veth["ifindex"]);
    assert_eq!(interface["far_end"]["bridge"], veth["master"]);
}

#[test]
fn every_container_is_described_as_docker_describes_it() {
    let Some(engine) = Engine::shared() else { return };
    let web = engine.container("web").option("--publish", "127.0.0.1::80").option("--label", "shop=1").web();
    let host = engine.container("host").network("host");
    let none = engine.container("none").network("none");
    let containers = [web.start(), host.start(), none.start()];
    let sharing = engine.container("side").network(&format!("container:{}", containers[0].name())).start();
    let listed = list(&containers.iter().map(Container::name).chain([sharing.name()]).collect::<Vec<_>>());
    for (container, mode) in containers.iter().chain([&sharing]).zip(["bridge", "host", "none", "shared"]) {
        let (ours, dockers) = (find(&listed, container.name()), inspect(container.name()));
        assert_eq!(ours["mode"], mode);
        assert_eq!(ours["engine"], "docker");
        assert_eq!(ours["id"], dockers["Id"]);
        assert_eq!(ours["pid"], dockers["State"]["Pid"]);
        assert_eq!(ours["state"], dockers["State"]["Status"]);
        assert_eq!(ours["image"], dockers["Config"]["Image"]);
        assert_eq!(ours["labels"], dockers["Config"]["Labels"]);
    }
    let web = find(&listed, containers[0].name());
    assert_eq!(web["published"][0]["host_port"], containers[0].published(80));
    assert_eq!(web["published"][0]["container_port"], 80);
    assert_eq!(web["shares_with"][0], sharing.name());
}

#[test]
fn a_namespace_without_an_engine_is_listed_too() {
    let Some(cable) = Cable::lay() else { return };
    let listed = list(&[&cable.left_selector()]);
    let found = find(&listed, cable.left_name());
    assert_eq!(found["engine"], "netns");
    assert_eq!(found["interfaces"][0]["name"], "eth0");
    assert_eq!(found["interfaces"][0]["addresses"][0], format!("{}/24", Cable::LEFT));
}

#[test]
fn inspect_tells_the_whole_way() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let web =
        engine.container("web").network(network.name()).option("--publish", "127.0.0.1::80").web().start();
    let output = pcapsule(&["inspect", web.name()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (address, port) = (web.address().to_string(), format!("127.0.0.1:{}", web.published(80)));
    for word in [web.name(), "eth0", &address, &web.mac(), "veth", network.name(), &port] {
        assert!(text.contains(word), "no {word} in {text}");
    }
}

fn list(names: &[&str]) -> Value {
    let output = pcapsule(&[&["ls", "--json"], names].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("`ls --json` prints JSON")
}

fn find<'a>(listed: &'a Value, name: &str) -> &'a Value {
    let containers = listed["containers"].as_array().expect("a list of containers");
    containers.iter().find(|container| container["name"] == name).expect("the container is listed")
}

/// The one object of a list that `ip -j` prints.
fn json(text: &str) -> Value {
    let mut found: Vec<Value> = serde_json::from_str(text).expect("JSON");
    found.remove(0)
}
