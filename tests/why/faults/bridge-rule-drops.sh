#!/usr/bin/env bash
# A rule of the bridge family drops frames to the container.
# code: bridge-rule-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
works fetch host http://127.0.0.1:8080/
nft -f - <<RULES
table bridge guard {
    chain leaving { type filter hook output priority 0; ip daddr $(address_of web) counter drop; }
    chain passing { type filter hook forward priority 0; ip daddr $(address_of web) counter drop; }
}
RULES
fails fetch host http://127.0.0.1:8080/
why --names guard :8080
heals fetch host http://127.0.0.1:8080/
