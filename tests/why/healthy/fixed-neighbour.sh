#!/usr/bin/env bash
# A fixed and right entry for the container in the host's neighbour table.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app --publish 8080:80
later ip neigh delete "$(address_of web)" dev app
ip neigh replace "$(address_of web)" lladdr "$(inside web ip -j link show dev eth0 | jq -r '.[0].address')" nud permanent dev app
works fetch host http://127.0.0.1:8080/
why :8080
