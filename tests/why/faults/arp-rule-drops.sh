#!/usr/bin/env bash
# The host's firewall drops what answers its questions for neighbours (ARP).
# code: lost-on-the-way
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
nft -f - <<'RULES'
table arp shut {
    chain incoming { type filter hook input priority 0; iifname "app" counter drop; }
}
RULES
ip neigh flush dev app
fails fetch host http://10.77.0.2/
why --names '10\.77\.0\.2 .ARP.' web:80
