#!/usr/bin/env bash
# The DNAT rule of one container is gone, that of another is there.
# code: dnat-missing
# engine: docker --userland-proxy=false
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
container other --publish 9090:80
works fetch outside "http://$LAN:8080/"
keep_rules
iptables -t nat -D DOCKER 1
works fetch outside "http://$LAN:9090/"
fails fetch outside "http://$LAN:8080/"
why :8080 --from outside
