//! What a Docker engine puts into a host's network, without the engine: its bridge, its chains, its policy.

use super::Place;

/// As `iptables-save` prints it on a host of Docker's, one container-less bridge.
const RULES: &str = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d LOOPBACK -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s POOL ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
COMMIT
";

/// Docker's first address pool, the one of docker0.
const POOL: &str = "172.17.0.0/16";

/// Puts all of it there, for IPv4 and for IPv6 as engines do since version 27.
pub(crate) fn install(place: &Place) {
    place.sh("ip link add docker0 address 02:42:0a:00:00:01 type bridge
         ip link set docker0 addrgenmode none
         ip addr add 172.17.0.1/16 dev docker0
         ip link set docker0 up");
    for (program, loopback, pool) in
        [("iptables-nft-restore", "127.0.0.0/8", POOL), ("ip6tables-nft-restore", "::1/128", "fd00:d0c::/64")]
    {
        let rules = RULES.replace("LOOPBACK", loopback).replace("POOL", pool);
        place.sh(&format!("{program} <<'END'\n{rules}END\n"));
    }
}
