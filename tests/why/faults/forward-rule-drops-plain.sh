#!/usr/bin/env bash
# A rule of the host drops what a container sends out.
# code: forward-rule-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 ! -o app -j MASQUERADE
works fetch web "http://$FAR/"
nft -f - <<'RULES'
table ip guard {
    set shut { type ipv4_addr; flags interval; elements = { 203.0.113.0/24 } }
    chain passing { type filter hook forward priority filter; ip daddr @shut drop; }
}
RULES
fails fetch web "http://$FAR/"
why --names guard "$FAR:80" --from web
heals fetch web "http://$FAR/"
