#!/usr/bin/env bash
# A rule of the old iptables, which nft does not show, drops what is for the container.
# code: forward-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

need iptables-legacy
iptables-legacy -L FORWARD >/dev/null 2>&1 || cannot "this kernel has no legacy iptables"
container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
later iptables-legacy -D FORWARD -d "$(address_of web)" -j DROP
iptables-legacy -I FORWARD -d "$(address_of web)" -j DROP
fails fetch outside "http://$LAN:8080/"
why :8080 --from outside
heals fetch outside "http://$LAN:8080/"
