#!/usr/bin/env bash
# The container's own interface is down.
# code: interface-down
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
inside web ip link set eth0 down
fails fetch host http://127.0.0.1:8080/
why :8080
why web
heals fetch host http://127.0.0.1:8080/
