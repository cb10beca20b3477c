#!/usr/bin/env bash
# Rules drop other ports, other containers and other sources.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
container other --publish 9090:80
keep_rules
iptables -I DOCKER-USER -d "$(address_of other)" -j DROP
iptables -I DOCKER-USER -d "$(address_of web)" -p tcp --dport 81 -j DROP
iptables -I DOCKER-USER -s 192.0.2.0/24 -j DROP
iptables -I DOCKER-USER -p udp -j DROP
later nft delete table inet guard
nft -f - <<'RULES'
table inet guard {
    chain passing {
        type filter hook forward priority -10; policy accept;
        tcp dport { 22, 3306, 5432 } drop
        iifname "wan*" drop
    }
}
RULES
inside web nft 'add table ip inner; add chain ip inner incoming { type filter hook input priority 0; }; add rule ip inner incoming tcp dport 8000-9000 drop'
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why :8080 --from outside
