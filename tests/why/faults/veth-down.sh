#!/usr/bin/env bash
# The host's end of the container's cable is down.
# code: veth-down
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app --publish 8080:80
works fetch host http://127.0.0.1:8080/
ip link set "$(cable_of web)" down
fails fetch host http://127.0.0.1:8080/
why :8080
why web
heals fetch host http://127.0.0.1:8080/
