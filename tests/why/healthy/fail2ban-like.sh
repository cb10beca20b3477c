#!/usr/bin/env bash
# Sets, limits, marks, multiport and comments, none of which concerns the connection.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
keep_rules
iptables -N f2b-sshd
later iptables -X f2b-sshd
iptables -A f2b-sshd -s 192.0.2.77 -j REJECT
iptables -A f2b-sshd -j RETURN
iptables -I INPUT -p tcp -m multiport --dports 22,2222 -j f2b-sshd
iptables -I DOCKER-USER -p tcp -m multiport --dports 22,25 -m comment --comment "no mail, no shells" -j DROP
iptables -I DOCKER-USER -m conntrack --ctstate INVALID -j DROP
iptables -I DOCKER-USER -m mark --mark 0x66 -j DROP
later nft delete table inet banned
nft -f - <<'RULES'
table inet banned {
    set addresses { type ipv4_addr; flags timeout; elements = { 192.0.2.66 timeout 1h } }
    set nobody { type ipv4_addr; flags interval; }
    chain passing {
        type filter hook forward priority -20; policy accept;
        ip saddr @addresses drop
        ip saddr @nobody drop
        tcp dport 22 ct state new limit rate over 10/minute drop
        meta mark 0x77 drop
    }
}
RULES
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why :8080 --from outside
