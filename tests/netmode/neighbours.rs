//! Beside other people's rules: what must be added for Docker's policy, and what is never touched.

use crate::lab::{Host, Like, Sandbox, Server, Snapshot, Tcp, ask, said};

const DROPS: &str = "nft -f - <<'END'
table inet strict {
    chain forward { type filter hook forward priority 0; policy drop; }
}
END";

/// Case 33: out, in and to itself, on a host where Docker drops what it does not know.
#[test]
fn dockers_policy_is_no_hindrance() {
    let Some(host) = Host::like(Like::DOCKER) else { return };
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &["--ipv6", "-p", "8080:80"]);
    let servers = [
        sandbox.serve(Tcp, 80),
        Server::start(&host.neighbour().net(), Tcp, (Host::NEIGHBOUR, 80).into(), "neighbour"),
    ];
    assert!(ask(&sandbox.net(), Tcp, (Host::NEIGHBOUR, 80)).is_some(), "out");
    assert!(ask(&host.neighbour().net(), Tcp, (Host::LAN, 8080)).is_some(), "in");
    assert!(ask(&sandbox.net(), Tcp, (Host::LAN, 8080)).is_some(), "to itself");
    drop(servers);
    sandbox.down();
    host.assert_as(&before);
}

/// Case 33: of Docker's, nothing but rules of ours in DOCKER-USER, each with our name; iptables can still read all of it.
#[test]
fn of_dockers_rules_none_is_changed() {
    let Some(host) = Host::like(Like::DOCKER) else { return };
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &["--ipv6", "-p", "8080:80"]);
    let during = host.snapshot();
    for tool in ["iptables-save", "ip6tables-save"] {
        let foreign: Vec<_> = changes(&before, &during, tool)
            .into_iter()
            .filter(|line| !(line.starts_with("+ -A DOCKER-USER ") && line.contains("pcapsule:")))
            .collect();
        assert!(foreign.is_empty(), "{tool}: {foreign:#?}");
    }
    let listed = host.sh("iptables-nft -S && ip6tables-nft -S");
    assert!(!listed.contains("incompatible"), "{listed}");
    sandbox.down();
    host.assert_as(&before);
}

/// Case 33: two sandboxes, and one goes.
#[test]
fn what_one_added_to_dockers_goes_with_it_alone() {
    let Some(host) = Host::like(Like::DOCKER) else { return };
    let before = host.snapshot();
    let [first, second] = [(); 2].map(|()| Sandbox::up(&host, &["-p", "80"]));
    let other = Sandbox::up(&host, &["-p", "8080:80"]);
    first.down();
    second.down();
    other.assert_published();
    other.down();
    host.assert_as(&before);
}

/// Case 33: where nobody provided for that, the rules are told that it takes, and serve.
#[test]
fn another_policy_is_left_alone_and_told() {
    let Some(host) = Host::make() else { return };
    host.sh(DROPS);
    let before = host.snapshot();
    let name = "walled";
    let output = host.pcapsule(&["net", "up", "--name", name, "-p", "8080:80"]);
    assert!(output.status.success(), "{}", said(&output));
    let advice = said(&output);
    assert!(advice.contains("strict") && advice.contains("forward"), "{advice}");
    assert!(changes(&before, &host.snapshot(), "nft list ruleset").iter().all(|line| !line.starts_with('-')));
    assert!(host.pcapsule(&["net", "down", name]).status.success());
    host.assert_as(&before);
}

/// Everybody's rules flushed at once, as an administrator or a firewall's reload does.
#[test]
fn a_flush_of_all_rules_passes_ours_by() {
    let Some(host) = Host::make() else { return };
    host.sh(DROPS);
    host.sh("nft flush ruleset");
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &["-p", "8080:80"]);
    host.sh("nft flush ruleset 2>/dev/null || true");
    sandbox.assert_published();
    sandbox.down();
    host.assert_as(&before);
}

/// Nothing that others could stumble over: no mark, no policy, no drop that is not about our own.
#[test]
fn others_traffic_passes_as_before() {
    let Some(host) = Host::like(Like { router: true, ..Like::default() }) else { return };
    // A third network of somebody else's, forwarded by the host.
    let stranger = crate::lab::Place::make();
    let pid = stranger.first().to_string();
    host.sh("ip link add str0 type veth peer name str1 && ip addr add 10.66.0.1/24 dev str0 && ip link set str0 up");
    crate::lab::inside(&host.place().net(), || {
        crate::lab::run("ip", &["link", "set", "str1", "netns", &pid])
    });
    stranger
        .sh("ip addr add 10.66.0.2/24 dev str1 && ip link set str1 up && ip route add default via 10.66.0.1");
    host.route_from_neighbour("10.66.0.0/24");
    let sandbox = Sandbox::up(&host, &["-p", "80:80"]);
    let _server = Server::start(&stranger.net(), Tcp, ([10, 66, 0, 2], 80).into(), "stranger");
    let answer = ask(&host.neighbour().net(), Tcp, ([10, 66, 0, 2], 80)).expect("the stranger answers");
    assert_eq!(
        (answer.by.as_str(), answer.seen),
        ("stranger", Host::NEIGHBOUR.into()),
        "neither turned nor hidden"
    );
    sandbox.down();
}

fn changes(before: &Snapshot, after: &Snapshot, part: &str) -> Vec<String> {
    let prefix = format!("{part}: ");
    after.since(before).iter().filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned)).collect()
}
