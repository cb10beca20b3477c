#!/usr/bin/env bash
# Containers made with ip netns, a bridge, NAT and published by a rule of nft.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
namespace api app 10.77.0.3/24 -- "${idle[@]}"
nft -f - <<'RULES'
table ip mine {
    chain before { type nat hook prerouting priority -100; fib daddr type local tcp dport 8080 dnat to 10.77.0.2:80; }
    chain out { type nat hook output priority -100; fib daddr type local tcp dport 8080 dnat to 10.77.0.2:80; }
    chain after { type nat hook postrouting priority 100; ip saddr 10.77.0.0/24 oifname != "app" masquerade; }
}
RULES
works fetch host "http://$LAN:8080/"
works fetch outside "http://$LAN:8080/"
works fetch api http://10.77.0.2/
works fetch web "http://$FAR/"
why web:80
why web:80 --from api
why :8080 --from outside
why "$FAR:80" --from web
