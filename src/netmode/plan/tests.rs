//! Plans of odd and ordinary hosts.

use std::net::IpAddr;

use super::*;
use crate::model::fixture::link;
use crate::netmode::{
    coexist::{Dropping, Obstacle},
    facts::Forwarding,
    record::{Record, RunId},
    spec::Options,
};
use crate::sys::iptables::{Family as IpFamily, Flavour, Iptables};
use crate::sys::netlink::{NextHop, Route, RouteKind};

fn id(text: &str) -> RunId {
    serde_json::from_value(serde_json::json!(text)).unwrap()
}

fn identity() -> Identity {
    Identity { id: id("4f2a9b01c3d4"), name: "web".parse().unwrap() }
}

/// A host with one way out of MTU 1450, that forwards nothing.
fn host() -> Facts {
    let mut uplink = link(2, "eth0", LinkKind::Hardware);
    uplink.mtu = 1450;
    uplink.addresses = vec!["192.0.2.1/24".parse().unwrap()];
    let route = |destination: &str, gateway: Option<&str>| Route {
        destination: destination.parse().unwrap(),
        kind: RouteKind::Unicast,
        next_hops: vec![NextHop {
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
            link: 2.try_into().ok(),
        }],
        source: None,
        metric: 0,
        table: 254,
    };
    Facts {
        links: vec![link(1, "lo", LinkKind::Loopback), uplink],
        routes: vec![route("0.0.0.0/0", Some("192.0.2.254")), route("192.0.2.0/24", None)],
        nameservers: vec!["192.0.2.53".parse().unwrap()],
        pools: Vec::new(),
        sandboxes: Vec::new(),
        forwarding: Forwarding { ipv4: false, ipv6: Some(false), ipv6_by_interface: true },
        obstacles: Vec::new(),
        notes: Vec::new(),
        cgroups: Cgroups::Writable,
        seed: [0x5a; 18],
    }
}

fn planned(options: Options, facts: &Facts) -> Result<Plan, Error> {
    plan(&Spec::new(options).unwrap(), facts, &identity())
}

fn words(options: Options, facts: &Facts) -> String {
    let plan = planned(options, facts).unwrap();
    let steps = plan.steps.iter().map(|step| format!("{step}\n    undo: {}\n", step.undo()));
    plan.notes.iter().map(|note| format!("note: {note}\n")).chain(steps).collect()
}

fn refusal(options: Options, facts: &Facts) -> String {
    planned(options, facts).unwrap_err().to_string()
}

fn neighbour(name: &str, address: &str, bridge: &str) -> Record {
    Record {
        id: id("0123456789ab"),
        name: name.parse().unwrap(),
        mode: "bridge".to_owned(),
        keeper: 1,
        process: None,
        bridge: bridge.parse().ok(),
        addresses: vec![address.parse().unwrap()],
        forwards: Vec::new(),
        cgroup: None,
        command: Vec::new(),
        created_ns: 0,
        steps: Vec::new(),
    }
}

/// The bridge of sandboxes as it is once one is there.
fn bridge(address: &str) -> Link {
    let mut bridge = link(7, "pcapsule0", LinkKind::Bridge);
    bridge.alias = Some(BRIDGE_ALIAS.to_owned());
    bridge.addresses = vec![address.parse().unwrap()];
    bridge
}

#[test]
fn a_sandbox_on_a_bridge_is_made_in_this_order() {
    insta::assert_snapshot!(words(Options::plain("bridge"), &host()));
}

#[test]
fn everything_that_can_be_asked_for_has_its_steps() {
    let asked = Options {
        ipv6: Ipv6::On,
        publications: ["8080:80", "127.0.0.1:53:53/udp"].map(|text| text.parse().unwrap()).to_vec(),
        mtu: Some(1400),
        mac: "02:00:00:00:00:07".parse().ok(),
        ..Options::plain("bridge")
    };
    let docker = |family| Obstacle::Docker(Iptables { flavour: Flavour::Nft, family });
    let obstacles = vec![docker(IpFamily::V4), docker(IpFamily::V6), Obstacle::Other(Dropping::Firewalld)];
    insta::assert_snapshot!(words(asked, &Facts { obstacles, ..host() }));
}

#[test]
fn other_modes_do_what_they_must_and_no_more() {
    let macvlan = Options {
        parent: "eth0".parse().ok(),
        addresses: vec!["192.0.2.20".parse().unwrap()],
        ..Options::plain("macvlan")
    };
    let internal = Options { reach: Reach::Bridge, ..Options::plain("bridge") };
    let all =
        [Options::plain("host"), Options::plain("none"), Options::plain("container:db"), macvlan, internal];
    let words: Vec<String> = all.map(|options| words(options, &host())).to_vec();
    insta::assert_snapshot!(words.join("\n"));
}

#[test]
fn a_second_sandbox_joins_the_first_ones_bridge() {
    let facts = Facts {
        links: [host().links, vec![bridge("10.77.3.1/24")]].concat(),
        sandboxes: vec![neighbour("db", "10.77.3.2/24", "pcapsule0")],
        ..host()
    };
    let plan = planned(Options::plain("bridge"), &facts).unwrap();
    assert_eq!(plan.addresses, ["10.77.3.3/24".parse().unwrap()]);
    assert_eq!(plan.gateways, ["10.77.3.1".parse::<IpAddr>().unwrap()]);
    assert!(plan.steps.iter().any(|step| matches!(step, Step::UseBridge { .. })));
    assert!(!plan.steps.iter().any(|step| matches!(step, Step::Bridge { .. } | Step::BridgeAddress { .. })));
    let other = Options { subnets: vec!["10.9.0.0/24".parse().unwrap()], ..Options::plain("bridge") };
    assert_eq!(
        refusal(other, &facts),
        "taking the network 10.9.0.0/24: pcapsule0 is in 10.77.3.0/24; --bridge NAME makes another one"
    );
    let taken = Options { addresses: vec!["10.77.3.2".parse().unwrap()], ..Options::plain("bridge") };
    assert_eq!(refusal(taken, &facts), "taking the address 10.77.3.2: it is taken");
}

/// Where IPv6 is forwarded between all interfaces or none: the first sandbox switches it on, the last one off.
#[test]
fn a_second_sandbox_needs_what_the_first_one_switched_on() {
    let dual = || Options { ipv6: Ipv6::On, ..Options::plain("bridge") };
    let mut facts = host();
    facts.forwarding.ipv6_by_interface = false;
    let first = planned(dual(), &facts).unwrap();
    let needs = |plan: &Plan| {
        let steps = plan.steps.clone();
        Record { steps, ..neighbour("db", "10.77.3.2/24", "pcapsule0") }.needs("net.ipv6.conf.all.forwarding")
    };
    assert!(needs(&first));
    facts.forwarding.ipv6 = Some(true);
    assert!(!needs(&planned(dual(), &facts).unwrap()), "a router's own");
    facts.sandboxes = vec![Record { steps: first.steps, ..neighbour("db", "10.77.3.2/24", "pcapsule0") }];
    assert!(needs(&planned(dual(), &facts).unwrap()));
    assert!(!needs(&planned(Options::plain("bridge"), &facts).unwrap()));
}

/// A host whose way out by IPv6 is a tunnel.
#[test]
fn the_mtu_is_that_of_the_ways_out_it_has() {
    let mut tunnel = link(3, "he0", LinkKind::Hardware);
    tunnel.mtu = 1280;
    let by_tunnel = Route {
        destination: "::/0".parse().unwrap(),
        next_hops: vec![NextHop { gateway: None, link: 3.try_into().ok() }],
        ..host().routes[0].clone()
    };
    let facts = Facts {
        links: [host().links, vec![tunnel]].concat(),
        routes: [host().routes, vec![by_tunnel]].concat(),
        ..host()
    };
    assert!(words(Options::plain("bridge"), &facts).contains("MTU 1450"));
    assert!(words(Options { ipv6: Ipv6::On, ..Options::plain("bridge") }, &facts).contains("MTU 1280"));
}

#[test]
fn somebody_elses_bridge_is_used_from_the_other_end() {
    let mut theirs = bridge("172.17.0.1/16");
    theirs.alias = None;
    let facts = Facts { links: [host().links, vec![theirs]].concat(), ..host() };
    let plan = planned(Options::plain("bridge"), &facts).unwrap();
    assert_eq!(plan.addresses, ["172.17.255.254/16".parse().unwrap()]);
}

#[test]
fn what_is_no_bridge_is_refused() {
    let on = |name: &str| Options { bridge: name.parse().ok(), ..Options::plain("bridge") };
    assert_eq!(refusal(on("eth0"), &host()), "using eth0 as a bridge: it is a link of kind hardware");
    let down = Link { up: false, ..bridge("10.77.3.1/24") };
    let facts = Facts { links: vec![down], ..host() };
    assert!(refusal(Options::plain("bridge"), &facts).starts_with("using the bridge pcapsule0: it is down"));
}

#[test]
fn a_network_of_two_has_one_sandbox() {
    let asked = || Options { subnets: vec!["10.1.0.0/31".parse().unwrap()], ..Options::plain("bridge") };
    let plan = planned(asked(), &host()).unwrap();
    assert_eq!(plan.gateways, ["10.1.0.0".parse::<IpAddr>().unwrap()]);
    assert_eq!(plan.addresses, ["10.1.0.1/31".parse().unwrap()]);
    let first = Options { addresses: vec!["10.1.0.0".parse().unwrap()], ..asked() };
    assert_eq!(planned(first, &host()).unwrap().gateways, ["10.1.0.1".parse::<IpAddr>().unwrap()]);
}

#[test]
fn a_name_is_one_sandboxs() {
    let facts = Facts { sandboxes: vec![neighbour("web", "10.77.3.2/24", "pcapsule0")], ..host() };
    assert_eq!(refusal(Options::plain("none"), &facts), "the name web is taken by another sandbox");
}

#[test]
fn a_host_without_ipv6_says_so() {
    let mut facts = host();
    facts.forwarding.ipv6 = None;
    let dual = Options { ipv6: Ipv6::On, ..Options::plain("bridge") };
    assert_eq!(refusal(dual, &facts), "giving the sandbox IPv6: this kernel has none");
    assert!(!words(Options::plain("bridge"), &facts).contains("ipv6"));
}

#[test]
fn a_macvlan_fits_its_parent() {
    let on = |parent: &str, address: &str| Options {
        parent: parent.parse().ok(),
        addresses: vec![address.parse().unwrap()],
        ..Options::plain("macvlan")
    };
    assert_eq!(
        refusal(on("eth9", "192.0.2.20"), &host()),
        "finding the parent eth9: the host has no such link"
    );
    assert_eq!(refusal(on("lo", "127.0.0.2"), &host()), "using lo as a parent: it is loopback");
    assert_eq!(refusal(on("eth0", "192.0.2.1"), &host()), "taking the address 192.0.2.1: it is taken");
    assert_eq!(
        refusal(on("eth0", "10.0.0.1"), &host()),
        "taking the address 10.0.0.1: eth0 is in no network that has it; give --subnet"
    );
    let large = Options { mtu: Some(1500), ..on("eth0", "192.0.2.20") };
    assert_eq!(refusal(large, &host()), "giving the sandbox 1500 bytes of MTU: its parent eth0 has 1450");
}

#[test]
fn steps_that_are_shared_come_first() {
    let asked =
        Options { publications: vec!["80".parse().unwrap()], ipv6: Ipv6::On, ..Options::plain("bridge") };
    let steps = planned(asked, &host()).unwrap().steps;
    let own = steps.iter().position(|step| step.share() == crate::netmode::Share::Own).unwrap();
    assert!(steps[own..].iter().all(|step| step.share() == crate::netmode::Share::Own));
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let record = Record {
        steps: planned(Options::plain("bridge"), &host()).unwrap().steps,
        ..neighbour("a", "10.0.0.2/24", "br0")
    };
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
}
