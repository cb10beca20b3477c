#!/usr/bin/env bash
# A rule at the way out of the container's cable drops (nft, netdev, egress).
# code: ingress-rule-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
nft -f - <<'RULES' || cannot "this kernel has no hook at egress"
table netdev shield {
    chain leaving { type filter hook egress device "vweb" priority 0; tcp dport 80 counter drop; }
}
RULES
fails fetch host http://10.77.0.2/
why --names shield web:80
heals fetch host http://10.77.0.2/
