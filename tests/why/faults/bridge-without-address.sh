#!/usr/bin/env bash
# The bridge has lost its address, which is the containers' gateway.
# code: bridge-without-address
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app --publish 8080:80
works fetch host http://127.0.0.1:8080/
ip addr flush dev app
fails fetch host http://127.0.0.1:8080/
why :8080
why web
heals fetch host http://127.0.0.1:8080/
