#!/usr/bin/env bash
# Somebody has flushed Docker's DNAT rules.
# code: dnat-missing
# engine: docker --userland-proxy=false
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
keep_rules
iptables -t nat -F DOCKER
fails fetch outside "http://$LAN:8080/"
fails fetch host http://127.0.0.1:8080/
why :8080 --from outside
why :8080
