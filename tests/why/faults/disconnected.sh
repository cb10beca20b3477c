#!/usr/bin/env bash
# The container has been disconnected from its network.
# code: network-none|no-address|different-networks
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app --publish 8080:80
works fetch host http://127.0.0.1:8080/
docker network disconnect app web
fails fetch host http://127.0.0.1:8080/
why web
