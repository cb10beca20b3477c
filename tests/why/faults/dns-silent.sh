#!/usr/bin/env bash
# The name server that the container asks does not answer.
# code: dns-silent
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

later at outside nft delete table ip silent
later at outside ip addr delete 198.51.100.54/24 dev lan0
at outside ip addr add 198.51.100.54/24 dev lan0
at outside nft -f - <<'RULES'
table ip silent {
    chain incoming { type filter hook input priority filter; ip daddr 198.51.100.54 drop; }
}
RULES
container api --dns 198.51.100.54 -- "${idle[@]}"
fails fetch api http://far.example/
why far.example:80 --from api
