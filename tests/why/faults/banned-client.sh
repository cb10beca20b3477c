#!/usr/bin/env bash
# The client's network is on the list of those that the host's firewall bans.
# code: input-drop
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
later nft delete table inet crowd
nft -f - <<'RULES'
table inet crowd {
    set banned { type ipv4_addr; flags interval, timeout; elements = { 198.51.100.0/25 timeout 4h } }
    chain early { type filter hook prerouting priority -310; ip saddr @banned counter drop; }
}
RULES
fails fetch outside "http://$LAN:8080/"
works fetch host http://127.0.0.1:8080/
why --names banned :8080 --from outside
