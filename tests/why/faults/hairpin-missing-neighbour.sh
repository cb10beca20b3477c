#!/usr/bin/env bash
# A container asks, by the host's address, a port of its neighbour on the bridge: the answer goes past the NAT (no br_netfilter).
# code: hairpin-missing
# engine: docker --userland-proxy=false
. "${BASH_SOURCE%/*}/../lab.sh"

network app
bridge_nf 0
keep_rules
container web --network app --publish 8080:80
container api --network app -- "${idle[@]}"
works fetch outside "http://$LAN:8080/"
works fetch api http://web/
fails fetch api "http://$LAN:8080/"
why :8080 --from api
heals fetch api "http://$LAN:8080/"
