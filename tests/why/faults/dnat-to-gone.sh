#!/usr/bin/env bash
# The DNAT rule leads to an address that the container does not have.
# code: dnat-wrong-target|dnat-missing
# engine: docker --userland-proxy=false
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
keep_rules
iptables -t nat -D DOCKER 1
iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 8080 -j DNAT --to-destination 172.17.0.88:80
fails fetch outside "http://$LAN:8080/"
why :8080 --from outside
