#!/usr/bin/env bash
# The container has a route that forbids the way to the asker.
# code: route-blackhole
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
inside web ip route add prohibit 198.51.100.0/24
fails fetch outside "http://$LAN:8080/"
why :8080 --from outside
heals fetch outside "http://$LAN:8080/"
