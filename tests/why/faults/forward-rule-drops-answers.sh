#!/usr/bin/env bash
# A rule drops what the container answers.
# code: forward-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
later nft delete table ip guard
nft -f - <<RULES
table ip guard {
    chain passing { type filter hook forward priority -5; policy accept; ip saddr $(address_of web) tcp sport 80 drop; }
}
RULES
fails fetch outside "http://$LAN:8080/"
why --names guard :8080 --from outside
heals fetch outside "http://$LAN:8080/"
