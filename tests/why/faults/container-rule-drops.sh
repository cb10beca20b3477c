#!/usr/bin/env bash
# A rule inside the container's own network drops what comes in.
# code: container-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
inside web nft -f - <<'RULES'
table inet inner {
    chain incoming { type filter hook input priority filter; tcp dport 80 counter drop; }
}
RULES
fails fetch host http://127.0.0.1:8080/
why --names inner :8080
why --names inner web:80
heals fetch host http://127.0.0.1:8080/
