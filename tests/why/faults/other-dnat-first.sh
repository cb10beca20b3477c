#!/usr/bin/env bash
# Another DNAT rule takes the published port's packets before Docker's.
# code: other-dnat-first|dnat-wrong-target
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
container other -- "${idle[@]}"
works fetch outside "http://$LAN:8080/"
keep_rules
iptables -t nat -I PREROUTING -p tcp --dport 8080 -j DNAT --to-destination "$(address_of other):80"
fails fetch outside "http://$LAN:8080/"
why :8080 --from outside
