#!/usr/bin/env bash
# A fixed entry of the host's neighbour table names a hardware address that nobody has.
# code: neighbour-wrong
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app --publish 8080:80
works fetch host http://127.0.0.1:8080/
later ip neigh delete "$(address_of web)" dev app
ip neigh replace "$(address_of web)" lladdr 02:00:00:00:00:99 nud permanent dev app
fails fetch host http://127.0.0.1:8080/
why :8080
heals fetch host http://127.0.0.1:8080/
