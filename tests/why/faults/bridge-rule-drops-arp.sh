#!/usr/bin/env bash
# A rule of the bridge family drops ARP.
# code: bridge-rule-drops|lost-on-the-way
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
nft -f - <<'RULES'
table bridge guard {
    chain incoming { type filter hook prerouting priority -300; ether type arp drop; }
}
RULES
ip neigh flush dev app
fails fetch host http://10.77.0.2/
why web:80
