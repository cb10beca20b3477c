#!/usr/bin/env bash
# A fixed entry in the container names a wrong hardware address for its gateway.
# code: neighbour-wrong
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app --publish 8080:80
gateway=$(docker inspect --format '{{.NetworkSettings.Networks.app.Gateway}}' web)
works fetch host http://127.0.0.1:8080/
inside web ip neigh replace "$gateway" lladdr 02:00:00:00:00:99 nud permanent dev eth0
fails fetch host http://127.0.0.1:8080/
why :8080
heals fetch host http://127.0.0.1:8080/
