#!/usr/bin/env bash
# A rule inside the container drops what begins a connection from the clients' subnet, and nothing else.
# code: container-rule-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
works fetch outside "http://$LAN:8080/"
inside web nft -f - <<'RULES'
table ip guard {
    chain incoming { type filter hook input priority filter; tcp flags & (syn | ack) == syn ip saddr 198.51.100.0/24 counter drop; }
}
RULES
works fetch host http://127.0.0.1:8080/
fails fetch outside "http://$LAN:8080/"
why --names guard :8080 --from outside
heals fetch outside "http://$LAN:8080/"
