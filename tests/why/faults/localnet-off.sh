#!/usr/bin/env bash
# A rule made by hand leads 127.0.0.1 into the container, which the kernel refuses (route_localnet).
# code: route-localnet-off
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
nft -f - <<'RULES'
table ip mine {
    chain before { type nat hook prerouting priority -100; fib daddr type local tcp dport 8080 dnat to 10.77.0.2:80; }
    chain out { type nat hook output priority -100; fib daddr type local tcp dport 8080 dnat to 10.77.0.2:80; }
}
RULES
works fetch host "http://$LAN:8080/"
fails fetch host http://127.0.0.1:8080/
why 127.0.0.1:8080
