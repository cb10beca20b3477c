#!/usr/bin/env bash
# A verdict map of nftables drops what is for the container's port.
# code: forward-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
later nft delete table inet guard
nft -f - <<RULES
table inet guard {
    map verdicts { type ipv4_addr . inet_service : verdict; elements = { $(address_of web) . 80 : drop, 10.0.0.1 . 22 : accept } }
    chain passing { type filter hook forward priority 5; policy accept; ip daddr . tcp dport vmap @verdicts; }
}
RULES
fails fetch outside "http://$LAN:8080/"
why --names guard :8080 --from outside
