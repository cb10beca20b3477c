#!/usr/bin/env bash
# A blackhole route of the host covers the container's network.
# code: route-blackhole
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --subnet 172.30.0.0/24
container web --network app --publish 8080:80
works fetch host http://127.0.0.1:8080/
later ip route delete blackhole 172.30.0.0/25
ip route add blackhole 172.30.0.0/25
fails fetch host http://127.0.0.1:8080/
why :8080
heals fetch host http://127.0.0.1:8080/
