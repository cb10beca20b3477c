//! Beside others who drop what is forwarded.

use pcapsule::{
    netmode::{Accepts, Dropping, Obstacle, Reach, obstacles, remove_by_comment},
    sys::iptables::{Family, Flavour, Iptables},
};

use crate::lab::{
    HOST, HOST6, Lab, NEIGHBOUR, NEIGHBOUR6, SANDBOX, SANDBOX6, Stack, bridge, on_host, publish,
};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

fn program(iptables: Iptables) -> String {
    let flavour = match iptables.flavour {
        Flavour::Nft => "nft",
        Flavour::Legacy => "legacy",
    };
    format!("{iptables}-{flavour}")
}

/// Rules as Docker makes them.
fn install_docker(lab: &Lab, iptables: Iptables) {
    let program = program(iptables);
    for arguments in
        ["-P FORWARD DROP", "-N DOCKER-USER", "-A DOCKER-USER -j RETURN", "-A FORWARD -j DOCKER-USER"]
    {
        lab.run("host", &format!("{program} {arguments}"));
    }
}

fn accepts(iptables: Iptables, id: &str) -> Accepts {
    let address = match iptables.family {
        Family::V4 => SANDBOX,
        Family::V6 => SANDBOX6,
    };
    let address = address.parse().unwrap();
    Accepts { iptables, id: id.to_owned(), bridge: bridge(), address, reach: Reach::Everywhere }
}

fn passes_docker(flavour: Flavour) {
    on_host(|lab| {
        lab.tcp_server("sandbox", "[::]:80");
        lab.tcp_server("neighbour", "[::]:80");
        let has =
            |iptables: Iptables| lab.attempt("host", &format!("{} -S", program(iptables))).status.success();
        if !FAMILIES.into_iter().all(|family| has(Iptables { flavour, family })) {
            eprintln!("skipped: this machine has no iptables of the kind {flavour:?}");
            return;
        }
        lab.call_rules_for_bridged(true);
        let both = FAMILIES.map(|family| Iptables { flavour, family });
        for iptables in both {
            install_docker(lab, iptables);
        }
        let rules = |iptables: Iptables| lab.run("host", &format!("{} -S", program(iptables)));
        let before = both.map(rules);
        let _published = publish(Stack::Dual, &["8080:80"]);
        let ways = [
            ("neighbour", format!("{HOST}:8080")),
            ("neighbour", format!("[{HOST6}]:8080")),
            ("sandbox", format!("{NEIGHBOUR}:80")),
            ("sandbox", format!("[{NEIGHBOUR6}]:80")),
            ("sandbox", format!("{HOST}:8080")),
            ("sandbox", format!("[{HOST6}]:8080")),
        ];
        for (from, to) in &ways {
            assert!(lab.ask(from, to).is_err(), "Docker does not drop from {from} to {to}");
        }
        assert_eq!(obstacles(&FAMILIES).unwrap(), both.map(Obstacle::Docker));
        let accepts = both.map(|iptables| accepts(iptables, "0a1b2c3d"));
        for accepts in &accepts {
            accepts.insert().unwrap();
        }
        for (from, to) in &ways {
            assert!(lab.ask(from, to).is_ok(), "from {from} to {to}");
        }
        for _ in 0..2 {
            for accepts in &accepts {
                accepts.remove().unwrap();
            }
            assert_eq!(both.map(rules), before);
        }
    });
}

#[test]
fn dockers_drop_is_passed_in_nf_tables() {
    passes_docker(Flavour::Nft);
}

#[test]
fn dockers_drop_is_passed_in_the_older_iptables() {
    passes_docker(Flavour::Legacy);
}

#[test]
fn what_a_dead_run_left_is_found_by_its_comment() {
    on_host(|lab| {
        let iptables = Iptables { flavour: Flavour::Nft, family: Family::V4 };
        install_docker(lab, iptables);
        let rules = || lab.run("host", "iptables-nft -S");
        let before = rules();
        accepts(iptables, "0a1b2c3d").insert().unwrap();
        let one = rules();
        accepts(iptables, "0a1b2c3e").insert().unwrap();
        assert_eq!(remove_by_comment(iptables, "0a1b2c3e").unwrap(), 2);
        assert_eq!(rules(), one);
        assert_eq!(remove_by_comment(iptables, "0a1b2c3d").unwrap(), 2);
        assert_eq!(rules(), before);
        assert_eq!(remove_by_comment(iptables, "0a1b2c3d").unwrap(), 0);
    });
}

#[test]
fn another_drop_is_told_and_the_remedy_works() {
    on_host(|lab| {
        lab.tcp_server("neighbour", "[::]:80");
        let _published = publish(Stack::Dual, &[]);
        assert_eq!(obstacles(&FAMILIES).unwrap(), []);
        lab.run("host", "nft add table inet wall");
        lab.run(
            "host",
            "nft add chain inet wall forward '{ type filter hook forward priority 0; policy drop; }'",
        );
        assert!(lab.ask("sandbox", &format!("{NEIGHBOUR}:80")).is_err());
        let found = obstacles(&FAMILIES).unwrap();
        let [Obstacle::Other(dropping @ Dropping::Table { .. })] = &found[..] else { panic!("{found:?}") };
        assert_eq!(dropping.to_string(), "nftables' chain forward in table inet wall");
        for line in dropping.remedy(&bridge()) {
            lab.run("host", &line);
        }
        assert!(lab.ask("sandbox", &format!("{NEIGHBOUR}:80")).is_ok());
    });
}
