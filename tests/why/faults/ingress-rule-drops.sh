#!/usr/bin/env bash
# A rule of the netdev family at the container's cable drops what it sends.
# code: ingress-rule-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
nft -f - <<'RULES'
table netdev guard {
    chain incoming { type filter hook ingress device "vweb" priority 0; ip saddr 10.77.0.2 drop; }
}
RULES
fails fetch host http://10.77.0.2/
why --names guard web:80
heals fetch host http://10.77.0.2/
