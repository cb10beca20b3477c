#!/usr/bin/env bash
# A rule of policy routing inside the container forbids the way back to the clients.
# code: route-blackhole
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
works fetch outside "http://$LAN:8080/"
inside web ip rule add to 198.51.100.0/24 prohibit priority 50
fails fetch outside "http://$LAN:8080/"
why :8080 --from outside
heals fetch outside "http://$LAN:8080/"
