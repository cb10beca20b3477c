#!/usr/bin/env bash
# A rule in an nftables table of its own drops what is for the container.
# code: forward-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
later nft delete table inet guard
nft -f - <<RULES
table inet guard {
    chain passing {
        type filter hook forward priority -10; policy accept;
        ct state established,related accept
        ip daddr $(address_of web) tcp dport 80 counter drop
    }
}
RULES
fails fetch outside "http://$LAN:8080/"
why --names guard --names 'handle [0-9]+' :8080 --from outside
heals fetch outside "http://$LAN:8080/"
