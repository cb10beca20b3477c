#!/usr/bin/env bash
# A rule of the bridge family parts two containers on it.
# code: bridge-rule-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
namespace api app 10.77.0.3/24 -- "${idle[@]}"
works fetch api http://10.77.0.2/
nft -f - <<'RULES'
table bridge guard {
    chain passing { type filter hook forward priority 0; iifname "vapi" oifname "vweb" drop; }
}
RULES
fails fetch api http://10.77.0.2/
why --names guard web:80 --from api
heals fetch api http://10.77.0.2/
