//! Each fault as facts: a Docker host with a web server published on port 8080, recorded, and one thing wrong with it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::discovery::{EngineNetwork, Topology};
use crate::model::fixture::{container as plain, link};
use crate::model::{
    Container, Endpoint, Engine, HostSide, InterfaceAddress, Link, LinkIndex, LinkKind, Mac, Membership,
    NamespaceId, NetworkMode, Protocol, PublishedPort, State,
};
use crate::sys::netlink::{
    BridgePort, HookKind, LinkHook, Neighbour, NeighbourState, NextHop, PortState, Route, RouteKind,
    RoutingRule, RuleOutcome,
};

use super::firewall::{Family, Maker, read_iptables, read_nft};
use super::{
    Certainty, Code, Detail, Examination, Facts, Holder, Listener, Lookup, LookupAnswer, Names, Origin,
    ProbeOutcome, Probed, Question, Seen, Space, Target, diagnose, settle, worth_a_probe,
};

const RULES: &str = include_str!("firewall/recorded/docker-20.10-iptables-save.txt");

const HOST: NamespaceId = NamespaceId::new(4, 1);
const WEB: NamespaceId = NamespaceId::new(4, 2);
const API: NamespaceId = NamespaceId::new(4, 3);

fn address(text: &str) -> InterfaceAddress {
    text.parse().unwrap()
}

fn index(number: u32) -> LinkIndex {
    number.try_into().unwrap()
}

fn with(mut link: Link, addresses: &[&str]) -> Link {
    link.addresses = addresses.iter().map(|text| address(text)).collect();
    link
}

fn route(destination: &str, gateway: Option<&str>, link: u32) -> Route {
    Route {
        destination: address(destination),
        kind: RouteKind::Unicast,
        next_hops: vec![NextHop {
            gateway: gateway.map(|text| text.parse().unwrap()),
            link: Some(index(link)),
        }],
        source: None,
        metric: 0,
        table: 254,
    }
}

fn usual_rules() -> Vec<RoutingRule> {
    [(0, 255), (32_766, 254), (32_767, 253)]
        .map(|(priority, table)| RoutingRule {
            priority,
            is_v4: true,
            inverted: false,
            source: None,
            destination: None,
            input: None,
            mark: None,
            asks_more: false,
            outcome: RuleOutcome::Table { table, suppressed: None },
        })
        .to_vec()
}

fn listener(local: &str, command: &str) -> Listener {
    Listener {
        protocol: Protocol::Tcp,
        local: local.parse().unwrap(),
        v6_only: false,
        device: None,
        waiting: 0,
        backlog: 128,
        unattended: false,
        holders: vec![Holder {
            pid: 42,
            command: command.to_owned(),
            stopped: false,
            container: None,
            proxy_to: None,
        }],
    }
}

fn inside(id: NamespaceId, own: &str, last: u8, listeners: Vec<Listener>) -> Space {
    let mut eth0 = with(link(2, "eth0", LinkKind::Veth), &[own]);
    eth0.mac = Some(Mac::new([2, 0x42, 0xac, 17, 0, last]));
    Space {
        links: vec![with(link(1, "lo", LinkKind::Loopback), &["127.0.0.1/8"]), eth0],
        routes: vec![route("0.0.0.0/0", Some("172.17.0.1"), 2), route("172.17.0.0/16", None, 2)],
        rules: usual_rules(),
        listeners,
        names: Names { read: true, servers: vec!["192.0.2.53".to_owned()], ..Names::default() },
        ..Space::empty(id)
    }
}

fn member(name: &str, space: &Space, port: u32) -> Container {
    let eth0 = space.link_named("eth0").unwrap().clone();
    let own = eth0.addresses[0].address;
    let mut container = plain(name, NetworkMode::Bridge, Some(space.id));
    container.pid = Some(1000 + port);
    container.networks = vec![Membership {
        network: "bridge".to_owned(),
        bridge: Some("docker0".parse().unwrap()),
        addresses: vec![own],
        mac: eth0.mac,
        aliases: Vec::new(),
    }];
    container.endpoints = vec![Endpoint {
        namespace: space.id,
        link: eth0,
        network: Some("bridge".to_owned()),
        host_side: HostSide::Pair {
            link: format!("veth{port}").parse().unwrap(),
            index: index(port),
            namespace: HOST,
            bridge: Some("docker0".parse().unwrap()),
        },
    }];
    container
}

fn host() -> Space {
    let port = |number: u32| {
        let mut veth = link(number, &format!("veth{number}"), LinkKind::Veth);
        veth.master = Some(index(3));
        veth
    };
    let mut proxy = listener("0.0.0.0:8080", "docker-proxy");
    proxy.holders[0].proxy_to = Some("172.17.0.2:80".parse().unwrap());
    let mut space = Space {
        links: vec![
            with(link(1, "lo", LinkKind::Loopback), &["127.0.0.1/8"]),
            with(link(2, "eth0", LinkKind::Hardware), &["198.51.100.1/24"]),
            with(link(3, "docker0", LinkKind::Bridge), &["172.17.0.1/16"]),
            port(7),
            port(8),
        ],
        routes: vec![
            route("0.0.0.0/0", Some("198.51.100.254"), 2),
            route("172.17.0.0/16", None, 3),
            route("198.51.100.0/24", None, 2),
        ],
        rules: usual_rules(),
        ports: [7, 8]
            .map(|number| BridgePort {
                link: index(number),
                state: PortState::Forwarding,
                hairpin: false,
                isolated: false,
            })
            .to_vec(),
        listeners: vec![proxy],
        ..Space::empty(HOST)
    };
    space.settings = BTreeMap::from([
        ("net.ipv4.ip_forward".to_owned(), "1".to_owned()),
        ("net.bridge.bridge-nf-call-iptables".to_owned(), "1".to_owned()),
    ]);
    space.firewall.chains = read_iptables(RULES, Maker::IptablesNft, Family::Ip);
    space
}

/// All is well.
fn healthy() -> Facts {
    let web = inside(WEB, "172.17.0.2/16", 2, vec![listener("0.0.0.0:80", "httpd")]);
    let api = inside(API, "172.17.0.3/16", 3, Vec::new());
    let mut web_container = member("web", &web, 7);
    web_container.published = vec![PublishedPort {
        host_ip: "0.0.0.0".parse().unwrap(),
        host_port: 8080,
        container_port: 80,
        protocol: Protocol::Tcp,
    }];
    let containers = vec![member("api", &api, 8), web_container];
    let host = host();
    let network = EngineNetwork {
        name: "bridge".to_owned(),
        driver: "bridge".to_owned(),
        bridge: Some("docker0".parse().unwrap()),
        gateways: Vec::new(),
        internal: false,
        between_members: true,
    };
    Facts {
        topology: Topology {
            host: Some(HOST),
            host_links: host.links.clone(),
            containers,
            warnings: Vec::new(),
        },
        networks: vec![network],
        spaces: [host, web, api].map(|space| (space.id, space)).into(),
        ..Facts::default()
    }
}

fn space(facts: &mut Facts, id: NamespaceId) -> &mut Space {
    facts.spaces.get_mut(&id).unwrap()
}

fn container<'a>(facts: &'a mut Facts, name: &str) -> &'a mut Container {
    facts.topology.containers.iter_mut().find(|container| container.name == name).unwrap()
}

fn ask(facts: &Facts, target: Target, origin: Origin) -> Examination {
    diagnose(facts, &Question { target, origin, protocol: Protocol::Tcp })
}

fn port() -> Target {
    Target::HostPort(8080)
}

fn web(port: Option<u16>) -> Target {
    Target::Container { id: plain("web", NetworkMode::Bridge, None).id, port, name: None }
}

fn from_api() -> Origin {
    Origin::Container(plain("api", NetworkMode::Bridge, None).id, API)
}

/// What is found first of a host that one thing is wrong with.
fn first(target: Target, origin: Origin, spoil: impl FnOnce(&mut Facts)) -> Option<Code> {
    let mut facts = healthy();
    spoil(&mut facts);
    let found = ask(&facts, target, origin).diagnosis;
    for finding in &found.findings {
        assert!(!finding.evidence.is_empty(), "a finding without evidence: {finding:?}");
    }
    found.findings.first().map(|finding| finding.code)
}

fn set(facts: &mut Facts, id: NamespaceId, name: &str, value: &str) {
    space(facts, id).settings.insert(name.to_owned(), value.to_owned());
}

/// Rules of the host's as iptables-save would print them, one of them more or less.
fn rules(facts: &mut Facts, change: impl FnOnce(&str) -> String) {
    space(facts, HOST).firewall.chains = read_iptables(&change(RULES), Maker::IptablesNft, Family::Ip);
}

#[test]
fn nothing_is_found_where_all_is_well() {
    let facts = healthy();
    for (target, origin) in [
        (port(), Origin::Anywhere),
        (port(), Origin::Outside(None)),
        (port(), from_api()),
        (web(None), Origin::Anywhere),
        (web(Some(80)), Origin::Host),
        (web(Some(80)), from_api()),
        (Target::Address("172.17.0.2:80".parse().unwrap()), from_api()),
        (Target::Address("203.0.113.80:80".parse().unwrap()), from_api()),
    ] {
        let found = ask(&facts, target.clone(), origin.clone());
        assert_eq!(found.wanted, [], "{target:?}");
        assert_eq!(found.diagnosis.findings, [], "{target:?} from {origin:?}");
        assert!(found.diagnosis.checked);
    }
}

#[test]
fn what_listens_elsewhere_is_told() {
    let listening = |locals: &[&str]| {
        let locals: Vec<Listener> = locals.iter().map(|local| listener(local, "httpd")).collect();
        first(port(), Origin::Anywhere, |facts| space(facts, WEB).listeners = locals)
    };
    assert_eq!(listening(&["127.0.0.1:80"]), Some(Code::ListensOnLoopback));
    assert_eq!(listening(&["0.0.0.0:8000"]), Some(Code::ListensOnOtherPort));
    assert_eq!(listening(&["172.17.0.9:80"]), Some(Code::ListensOnOtherAddress));
    assert_eq!(listening(&[]), Some(Code::NothingListens));
    assert_eq!(listening(&["[::]:80"]), None);
    let v6_only = first(port(), Origin::Anywhere, |facts| {
        space(facts, WEB).listeners = vec![Listener { v6_only: true, ..listener("[::]:80", "httpd") }];
    });
    assert_eq!(v6_only, Some(Code::ListensOnIpv6Only));
    let udp =
        first(port(), Origin::Anywhere, |facts| space(facts, WEB).listeners[0].protocol = Protocol::Udp);
    assert_eq!(udp, Some(Code::ListensForOtherProtocol));
}

#[test]
fn sockets_that_do_not_answer_are_told() {
    let with = |change: fn(&mut Listener)| {
        first(port(), Origin::Anywhere, |facts| change(&mut space(facts, WEB).listeners[0]))
    };
    assert_eq!(with(|one| one.waiting = 129), Some(Code::BacklogFull));
    assert_eq!(with(|one| one.waiting = 128), None);
    assert_eq!(with(|one| one.unattended = true), Some(Code::NotAccepting));
    assert_eq!(with(|one| one.holders[0].stopped = true), Some(Code::ProcessStopped));
}

#[test]
fn containers_that_do_not_run_are_told() {
    let state = |state: State| {
        first(web(None), Origin::Anywhere, |facts| {
            let web = container(facts, "web");
            (web.state, web.namespace) = (state, None);
        })
    };
    assert_eq!(state(State::Exited), Some(Code::NotRunning));
    assert_eq!(state(State::Restarting), Some(Code::Restarting));
    assert_eq!(state(State::Paused), Some(Code::ProcessStopped));
    let taken = first(port(), Origin::Anywhere, |facts| {
        let web = container(facts, "web");
        let asked = std::mem::take(&mut web.published);
        (web.state, web.namespace) = (State::Created, None);
        let (id, failure) =
            (web.id.clone(), Some("Bind for 0.0.0.0:8080 failed: port is already allocated".to_owned()));
        facts.details.insert(id, Detail { asked_ports: asked, failure, ..Detail::default() });
        space(facts, HOST).listeners = vec![listener("0.0.0.0:8080", "nginx")];
    });
    assert_eq!(taken, Some(Code::HostPortTaken));
}

#[test]
fn ports_that_are_published_otherwise_are_told() {
    let asked = |port: u16, origin: Origin| first(Target::HostPort(port), origin, |_| {});
    assert_eq!(asked(8081, Origin::Anywhere), Some(Code::PublishedOnOtherPort));
    assert_eq!(asked(80, Origin::Anywhere), Some(Code::PublishedOnOtherPort));
    assert_eq!(asked(8180, Origin::Anywhere), Some(Code::PublishedOnOtherPort));
    assert_eq!(asked(22, Origin::Anywhere), Some(Code::PortNotPublished), "8080 is not what was meant");
    let on_loopback =
        |facts: &mut Facts| container(facts, "web").published[0].host_ip = "127.0.0.1".parse().unwrap();
    assert_eq!(first(port(), Origin::Outside(None), on_loopback), Some(Code::PublishedOnLoopback));
    let on_lost =
        |facts: &mut Facts| container(facts, "web").published[0].host_ip = "198.51.100.7".parse().unwrap();
    assert_eq!(first(port(), Origin::Anywhere, on_lost), Some(Code::PublishedAddressMissing));
    let nobody = |facts: &mut Facts| {
        container(facts, "web").published.clear();
        space(facts, HOST).listeners.clear();
        rules(facts, |text| {
            text.lines().filter(|line| !line.contains("DNAT")).collect::<Vec<_>>().join("\n")
        });
    };
    assert_eq!(first(Target::HostPort(80), Origin::Anywhere, nobody), Some(Code::PortNotPublished));
    assert_eq!(first(web(Some(80)), Origin::Outside(None), nobody), Some(Code::PortNotPublished));
}

#[test]
fn rules_that_drop_are_told_with_their_place() {
    let outside =
        |change: fn(&str) -> String| first(port(), Origin::Outside(None), |facts| rules(facts, change));
    let user = |text: &str| {
        text.replace("-A DOCKER-USER -j RETURN", "-A DOCKER-USER -p tcp -m tcp --dport 80 -j DROP")
    };
    assert_eq!(outside(user), Some(Code::ForwardRuleDrops));
    let policy =
        |text: &str| text.lines().filter(|line| !line.contains("-A FORWARD")).collect::<Vec<_>>().join("\n");
    assert_eq!(outside(policy), Some(Code::ForwardPolicyDrop));
    let icc = |text: &str| {
        text.replace("-A FORWARD -i docker0 -o docker0 -j ACCEPT", "-A FORWARD -i docker0 -o docker0 -j DROP")
    };
    assert_eq!(first(web(Some(80)), from_api(), |facts| rules(facts, icc)), Some(Code::IccOff));
    let input = first(Target::HostPort(8000), Origin::Outside(None), |facts| {
        rules(facts, |text| text.replace(":INPUT ACCEPT", ":INPUT DROP"));
        space(facts, HOST).listeners.push(listener("0.0.0.0:8000", "httpd"));
    });
    assert_eq!(input, Some(Code::InputDrop));
    let own = first(port(), Origin::Anywhere, |facts| {
        let listing = r#"{"nftables": [{"chain": {"family": "inet", "table": "own", "name": "in", "type": "filter",
            "hook": "input", "prio": 0, "policy": "accept"}}, {"rule": {"family": "inet", "table": "own", "chain": "in",
            "handle": 5, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}},
            "right": 80}}, {"drop": null}]}}]}"#;
        space(facts, WEB).firewall.chains = read_nft(listing).unwrap();
    });
    assert_eq!(own, Some(Code::ContainerRuleDrops));
}

#[test]
fn a_rule_is_named_by_its_handle_and_its_removal() {
    let mut facts = healthy();
    rules(&mut facts, |text| {
        text.replace("-A DOCKER-USER -j RETURN", "-A DOCKER-USER -p tcp -m tcp --dport 80 -j DROP")
    });
    let user =
        space(&mut facts, HOST).firewall.chains.iter_mut().find(|chain| chain.name == "DOCKER-USER").unwrap();
    user.rules[0].handle = Some(12);
    let found = ask(&facts, port(), Origin::Outside(None)).diagnosis;
    let finding = &found.findings[0];
    assert!(finding.sentence.contains("chain DOCKER-USER, handle 12"), "{}", finding.sentence);
    assert_eq!(finding.repair.as_deref(), Some("iptables -D DOCKER-USER -p tcp -m tcp --dport 80 -j DROP"));
    assert_eq!(found.way.last().map(|hop| (hop.hop, hop.reached)), Some(("rules", false)));
}

#[test]
fn who_may_come_in_is_no_finding_where_it_depends_on_the_asker() {
    let mut facts = healthy();
    rules(&mut facts, |text| {
        text.replace(
            "-A DOCKER-USER -j RETURN",
            "-A DOCKER-USER -s 192.168.0.0/16 -j RETURN\n[0:0] -A DOCKER-USER -i eth0 -j DROP",
        )
    });
    let found = ask(&facts, port(), Origin::Outside(None)).diagnosis;
    assert_eq!(found.findings[0].certainty, Certainty::Likely, "the uplink's own network is not let in");
    rules(&mut facts, |text| {
        text.replace(
            "-A DOCKER-USER -j RETURN",
            "-A DOCKER-USER -s 198.51.100.0/24 -j RETURN\n[0:0] -A DOCKER-USER -i eth0 -j DROP",
        )
    });
    let found = ask(&facts, port(), Origin::Outside(None)).diagnosis;
    assert_eq!(found.findings, []);
    assert!(found.not_checked[0].contains("depends on who asks"), "{:?}", found.not_checked);
    let somebody = Origin::Outside(Some("203.0.113.5".parse().unwrap()));
    assert_eq!(ask(&facts, port(), somebody).diagnosis.findings[0].code, Code::ForwardRuleDrops);
}

#[test]
fn a_queue_drops_where_no_program_reads_it() {
    let handed = |bypass: &str, read: Option<Vec<u64>>| {
        let rule = format!("-A DOCKER-USER -p tcp -j NFQUEUE --queue-num 3{bypass}");
        let mut facts = healthy();
        rules(&mut facts, |text| text.replace("-A DOCKER-USER -j RETURN", &rule));
        space(&mut facts, HOST).firewall.queues = read;
        let found = ask(&facts, port(), Origin::Outside(None)).diagnosis;
        (found.findings.first().map(|finding| finding.code), found.not_checked.is_empty())
    };
    assert_eq!(handed("", Some(vec![4])), (Some(Code::ForwardRuleDrops), true));
    assert_eq!(handed(" --queue-bypass", Some(Vec::new())), (None, true));
    assert_eq!(handed("", Some(vec![3])), (None, false), "the program decides");
    assert_eq!(handed("", None), (None, false));
}

#[test]
fn what_is_not_tracked_is_not_translated() {
    let mut facts = healthy();
    container(&mut facts, "web").published.clear();
    space(&mut facts, HOST).listeners.clear();
    rules(&mut facts, |text| {
        format!("*raw\n:PREROUTING ACCEPT [0:0]\n[0:0] -A PREROUTING -p tcp -j CT --notrack\nCOMMIT\n{text}")
    });
    let found = ask(&facts, port(), Origin::Outside(None)).diagnosis;
    assert_eq!(found.findings[0].code, Code::DnatMissing);
    assert!(found.findings[0].sentence.contains("notrack"), "{:?}", found.findings[0]);
}

#[test]
fn an_address_that_the_host_has_too_is_told() {
    let both = first(web(Some(80)), Origin::Host, |facts| {
        let lo = &mut space(facts, HOST).links[0];
        lo.addresses.push("172.17.0.2/32".parse().unwrap());
    });
    assert_eq!(both, Some(Code::DuplicateAddress));
}

#[test]
fn of_processes_that_share_a_port_one_that_is_stopped_is_told() {
    let mut stopped = listener("0.0.0.0:80", "httpd");
    stopped.holders[0].stopped = true;
    for others in [vec![listener("0.0.0.0:80", "httpd"), stopped.clone()], vec![stopped.clone()]] {
        let found = first(web(Some(80)), Origin::Host, |facts| space(facts, WEB).listeners = others);
        assert_eq!(found, Some(Code::ProcessStopped));
    }
}

#[test]
fn a_socket_for_another_interface_does_not_take_it() {
    let bound = |number| Listener { device: Some(index(number)), ..listener("0.0.0.0:80", "httpd") };
    let found = |number| {
        first(web(Some(80)), Origin::Host, |facts| space(facts, WEB).listeners = vec![bound(number)])
    };
    assert_eq!(found(2), None);
    assert_eq!(found(1), Some(Code::ListensOnOtherAddress));
}

#[test]
fn missing_translations_are_told() {
    let no_dnat =
        |text: &str| text.lines().filter(|line| !line.contains("-j DNAT")).collect::<Vec<_>>().join("\n");
    let by_proxy = first(port(), Origin::Outside(None), |facts| rules(facts, no_dnat));
    assert_eq!(by_proxy, None, "the proxy carries it");
    let placeholder = first(port(), Origin::Anywhere, |facts| {
        rules(facts, no_dnat);
        space(facts, HOST).listeners = vec![listener("0.0.0.0:8080", "dockerd")];
    });
    assert_eq!(placeholder, Some(Code::DnatMissing));
    let elsewhere = first(port(), Origin::Outside(None), |facts| {
        rules(facts, |text| {
            text.replace("--to-destination 172.17.0.2:80", "--to-destination 172.17.0.88:80")
        });
    });
    assert_eq!(elsewhere, Some(Code::DnatWrongTarget));
    let proxy_gone = first(port(), Origin::Anywhere, |facts| space(facts, HOST).listeners.clear());
    assert_eq!(proxy_gone, Some(Code::ProxyMissing));
    let no_masquerade = first(Target::Address("203.0.113.80:80".parse().unwrap()), from_api(), |facts| {
        rules(facts, |text| {
            text.lines().filter(|line| !line.contains("MASQUERADE")).collect::<Vec<_>>().join("\n")
        });
    });
    assert_eq!(no_masquerade, Some(Code::MasqueradeMissing));
}

#[test]
fn settings_that_stop_packets_are_told() {
    let outside = |spoil: fn(&mut Facts)| first(port(), Origin::Outside(None), spoil);
    assert_eq!(outside(|facts| set(facts, HOST, "net.ipv4.ip_forward", "0")), Some(Code::IpForwardOff));
    let full = |facts: &mut Facts| {
        set(facts, HOST, "net.netfilter.nf_conntrack_max", "100");
        set(facts, HOST, "net.netfilter.nf_conntrack_count", "100");
    };
    assert_eq!(outside(full), Some(Code::ConntrackFull));
    let strict = |facts: &mut Facts| {
        set(facts, WEB, "net.ipv4.conf.eth0.rp_filter", "1");
        space(facts, WEB).routes = vec![route("172.17.0.0/16", None, 1)];
    };
    assert_eq!(first(web(Some(80)), Origin::Host, strict), Some(Code::RpFilterDrops));
}

#[test]
fn routes_that_lead_astray_are_told() {
    let no_default = |facts: &mut Facts| drop(space(facts, WEB).routes.remove(0));
    assert_eq!(first(port(), Origin::Outside(None), no_default), Some(Code::NoDefaultRoute));
    assert_eq!(first(port(), Origin::Host, no_default), None);
    let overlap = |facts: &mut Facts| {
        space(facts, HOST).links.push(with(link(9, "tun0", LinkKind::Tun), &["10.8.0.1/24"]));
        space(facts, HOST).routes.push(route("172.17.0.0/24", None, 9));
    };
    assert_eq!(first(port(), Origin::Host, overlap), Some(Code::SubnetOverlap));
    let blackhole = |facts: &mut Facts| {
        let refusing =
            Route { kind: RouteKind::Blackhole, next_hops: Vec::new(), ..route("172.17.0.2/32", None, 3) };
        space(facts, HOST).routes.push(refusing);
    };
    assert_eq!(first(port(), Origin::Host, blackhole), Some(Code::RouteBlackhole));
    let gateway =
        |facts: &mut Facts| space(facts, WEB).routes[0] = route("0.0.0.0/0", Some("172.17.0.254"), 2);
    assert_eq!(first(port(), Origin::Outside(None), gateway), Some(Code::WrongGateway));
}

fn down(facts: &mut Facts, id: NamespaceId, name: &str) {
    let link = space(facts, id).links.iter_mut().find(|link| link.name.as_str() == name).unwrap();
    (link.up, link.carrier) = (false, false);
}

#[test]
fn links_that_do_not_carry_are_told() {
    let host = |spoil: fn(&mut Facts)| first(port(), Origin::Host, spoil);
    assert_eq!(host(|facts| down(facts, HOST, "veth7")), Some(Code::VethDown));
    assert_eq!(host(|facts| down(facts, HOST, "docker0")), Some(Code::BridgeDown));
    assert_eq!(host(|facts| down(facts, WEB, "eth0")), Some(Code::InterfaceDown));
    let no_address = |facts: &mut Facts| {
        space(facts, HOST).links[2].addresses.clear();
        space(facts, HOST).routes.remove(1);
    };
    assert_eq!(host(no_address), Some(Code::BridgeWithoutAddress));
    let off_bridge = |facts: &mut Facts| {
        space(facts, HOST).links[3].master = None;
        let HostSide::Pair { bridge, .. } = &mut container(facts, "web").endpoints[0].host_side else {
            panic!()
        };
        *bridge = None;
    };
    assert_eq!(host(off_bridge), Some(Code::VethNotOnBridge));
    let queue = |facts: &mut Facts| {
        space(facts, HOST)
            .hooks
            .push(LinkHook { link: index(7), kind: HookKind::Queue("blackhole".to_owned()) });
    };
    assert_eq!(host(queue), Some(Code::TcDrops));
    let small = |facts: &mut Facts| space(facts, HOST).links[4].mtu = 1000;
    assert_eq!(first(web(Some(80)), from_api(), small), Some(Code::MtuBlackHole));
}

#[test]
fn addresses_that_are_not_one_persons_are_told() {
    let twice = |facts: &mut Facts| {
        container(facts, "api").endpoints[0].link.addresses = vec![address("172.17.0.2/16")];
    };
    assert_eq!(first(port(), Origin::Host, twice), Some(Code::DuplicateAddress));
    let mac = |facts: &mut Facts| {
        let mac = container(facts, "web").endpoints[0].link.mac;
        container(facts, "api").endpoints[0].link.mac = mac;
    };
    assert_eq!(first(port(), Origin::Host, mac), Some(Code::DuplicateMac));
    let neighbour = |facts: &mut Facts| {
        space(facts, HOST).neighbours.push(Neighbour {
            link: index(3),
            address: IpAddr::from([172, 17, 0, 2]),
            mac: Some(Mac::new([2, 0, 0, 0, 0, 9])),
            state: NeighbourState::Permanent,
        });
    };
    assert_eq!(first(port(), Origin::Host, neighbour), Some(Code::NeighbourWrong));
    let moved = |facts: &mut Facts| {
        container(facts, "web").endpoints[0].link.addresses = vec![address("172.17.0.77/16")];
        space(facts, WEB).links[1].addresses = vec![address("172.17.0.77/16")];
    };
    assert_eq!(first(port(), Origin::Host, moved), Some(Code::AddressDiffers));
}

#[test]
fn networks_that_keep_apart_are_told() {
    let internal = |facts: &mut Facts| {
        container(facts, "web").networks[0].network = "quiet".to_owned();
        facts.networks[0].name = "quiet".to_owned();
        facts.networks[0].internal = true;
        let web = container(facts, "web");
        let (id, asked) = (web.id.clone(), std::mem::take(&mut web.published));
        facts.details.insert(id, Detail { asked_ports: asked, ..Detail::default() });
        space(facts, HOST).listeners.clear();
    };
    assert_eq!(first(port(), Origin::Anywhere, internal), Some(Code::NetworkInternal));
    let none = |facts: &mut Facts| {
        container(facts, "web").endpoints.clear();
        space(facts, WEB).links.truncate(1);
    };
    assert_eq!(first(web(Some(80)), Origin::Host, none), Some(Code::NetworkNone));
}

#[test]
fn names_are_what_the_name_server_says() {
    let named = Target::Container {
        id: plain("web", NetworkMode::Bridge, None).id,
        port: Some(80),
        name: Some("web".to_owned()),
    };
    let said = |answer: LookupAnswer| {
        first(named.clone(), from_api(), move |facts| {
            facts.lookups.push(Lookup {
                namespace: API,
                server: "192.0.2.53:53".parse().unwrap(),
                name: "web".to_owned(),
                answer,
            });
        })
    };
    assert_eq!(said(LookupAnswer::NoSuchName), Some(Code::NameNotResolved));
    assert_eq!(said(LookupAnswer::Silence), Some(Code::DnsSilent));
    assert_eq!(said(LookupAnswer::Unreachable), Some(Code::DnsRefused));
    assert_eq!(said(LookupAnswer::Addresses(vec![IpAddr::from([172, 17, 0, 2])])), None);
    assert_eq!(said(LookupAnswer::Addresses(vec![IpAddr::from([10, 0, 0, 9])])), Some(Code::NameNotResolved));
    let broken = first(named.clone(), from_api(), |facts| space(facts, API).names.servers.clear());
    assert_eq!(broken, Some(Code::ResolvConfBroken));
}

#[test]
fn who_cannot_be_put_on_a_network_is_reached_otherwise() {
    let named = |mode: NetworkMode, namespace: NamespaceId| {
        let mut facts = healthy();
        let mut db = plain("db", mode, Some(namespace));
        db.endpoints = container(&mut facts, "web").endpoints.clone();
        let target = Target::Container { id: db.id.clone(), port: Some(80), name: Some("db".to_owned()) };
        let mut own = listener("0.0.0.0:80", "postgres");
        own.holders[0].container = Some(db.id.clone());
        space(&mut facts, namespace).listeners.push(own);
        facts.topology.containers.push(db);
        container(&mut facts, "api").networks[0].network = "shop".to_owned();
        space(&mut facts, API).names.servers = vec!["127.0.0.11".to_owned()];
        facts.lookups.push(Lookup {
            namespace: API,
            server: "127.0.0.11:53".parse().unwrap(),
            name: "db".to_owned(),
            answer: LookupAnswer::NoSuchName,
        });
        let found = ask(&facts, target, from_api()).diagnosis.findings;
        let unnamed = found.into_iter().find(|finding| finding.code == Code::NameNotResolved);
        unnamed.and_then(|finding| finding.repair).unwrap()
    };
    assert_eq!(named(NetworkMode::Host, HOST), "start api again with --add-host db:host-gateway");
    assert_eq!(named(NetworkMode::Shared, WEB), "ask for web instead");
    assert_eq!(named(NetworkMode::Bridge, WEB), "docker network connect shop db");
}

#[test]
fn who_is_on_no_network_leaves_that_first() {
    let repair = |network: &str| {
        let mut facts = healthy();
        container(&mut facts, "api").networks[0].network = network.to_owned();
        if network == "a sandbox" {
            container(&mut facts, "api").engine = Engine::Pcapsule;
        }
        let api = space(&mut facts, API);
        api.links.truncate(1);
        api.routes.clear();
        let found = ask(&facts, web(Some(80)), from_api()).diagnosis.findings;
        assert_eq!(found[0].code, Code::NetworkNone);
        found[0].repair.clone().unwrap()
    };
    assert_eq!(repair("none"), "docker network disconnect none api && docker network connect bridge api");
    assert_eq!(repair("shop"), "docker network connect bridge api");
    assert_eq!(repair("a sandbox"), "start api again with --net bridge");
}

#[test]
fn the_way_goes_on_behind_a_proxy() {
    let found = ask(&healthy(), port(), Origin::Host).diagnosis;
    let names: Vec<&str> = found.way.iter().map(|hop| hop.name.as_str()).collect();
    assert_eq!(names.first(), Some(&"a process in host"));
    assert!(names.contains(&"127.0.0.1:8080/tcp in host"), "{names:?}");
    assert_eq!(names.last(), Some(&"172.17.0.2:80/tcp in web"));
    assert_eq!(names.iter().filter(|name| name.starts_with("a process")).count(), 1, "{names:?}");
}

#[test]
fn a_connection_is_probed_once() {
    let mut examination = ask(&healthy(), port(), Origin::Host);
    let again = examination.tried.clone();
    examination.tried.extend(again);
    let probed: Vec<_> = worth_a_probe(&examination).iter().map(|one| one.connection.destination).collect();
    assert_eq!(probed, ["172.17.0.2:80".parse().unwrap()]);
}

#[test]
fn a_probe_disproves_what_it_passes_and_tells_where_it_is_lost() {
    let mut facts = healthy();
    rules(&mut facts, |text| text.replace(":OUTPUT ACCEPT", ":OUTPUT DROP"));
    let mut examination = ask(&facts, web(Some(80)), Origin::Host);
    assert_eq!(examination.diagnosis.findings[0].code, Code::OutputDrop);
    let tried = examination.tried[0].clone();
    let probed = Probed { outcome: ProbeOutcome::Accepted, seen: Vec::new(), unanswered: Vec::new() };
    assert!(examination.diagnosis.way.iter().any(|hop| !hop.reached));
    settle(&facts, &mut examination, &tried, &probed);
    assert!(examination.diagnosis.is_healthy(), "{:?}", examination.diagnosis);
    assert!(examination.diagnosis.way.iter().all(|hop| hop.reached), "{:?}", examination.diagnosis.way);

    let facts = healthy();
    let mut examination = ask(&facts, web(Some(80)), Origin::Host);
    let tried = examination.tried[0].clone();
    let seen = |link, there| Seen { namespace: HOST, link: index(link), there, back: false };
    let probed = |unanswered| Probed {
        outcome: ProbeOutcome::Silence,
        seen: vec![seen(3, true), seen(7, false)],
        unanswered,
    };
    let told = |probed: &Probed| {
        let mut examination = ask(&facts, web(Some(80)), Origin::Host);
        settle(&facts, &mut examination, &tried, probed);
        examination.diagnosis.findings.remove(0)
    };
    let asked = |is_gateway| super::Asked {
        namespace: HOST,
        link: index(3),
        next: "172.17.0.2".parse().unwrap(),
        is_gateway,
    };
    assert_eq!(tried.asked[0], asked(false));
    assert!(told(&probed(vec![asked(false)])).sentence.contains("172.17.0.2 (ARP)"));
    assert_eq!(told(&probed(vec![asked(true)])).code, Code::WrongGateway);
    let probed = probed(Vec::new());
    settle(&facts, &mut examination, &tried, &probed);
    let finding = &examination.diagnosis.findings[0];
    assert_eq!((finding.code, finding.certainty), (Code::LostOnTheWay, Certainty::Likely));
    assert!(finding.sentence.contains("between docker0 of host and veth7 of host"), "{}", finding.sentence);
}

#[test]
fn codes_are_words_and_each_once() {
    let words: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    for word in &words {
        assert!(word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{word}");
        assert_eq!(words.iter().filter(|other| other == &word).count(), 1, "{word}");
    }
    let told = include_str!("../../docs/why.md");
    for word in words {
        assert!(told.contains(&format!("`{word}`")), "docs/why.md does not tell of {word}");
    }
}

#[test]
fn a_podman_network_serves_names_too() {
    let mut facts = healthy();
    container(&mut facts, "web").engine = Engine::Podman;
    container(&mut facts, "api").engine = Engine::Podman;
    let named = Target::Container {
        id: plain("web", NetworkMode::Bridge, None).id,
        port: Some(80),
        name: Some("web".to_owned()),
    };
    let found = ask(&facts, named, from_api()).diagnosis;
    assert_eq!(found.findings, []);
    assert_eq!(found.not_checked, ["whether api resolves the name web"]);
}
