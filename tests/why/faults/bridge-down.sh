#!/usr/bin/env bash
# The bridge is down.
# code: bridge-down
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app --publish 8080:80
works fetch host http://127.0.0.1:8080/
later ip link set app up
ip link set app down
fails fetch host http://127.0.0.1:8080/
why :8080
why web
heals fetch host http://127.0.0.1:8080/
