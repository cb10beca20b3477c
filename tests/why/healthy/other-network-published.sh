#!/usr/bin/env bash
# A container asks, by the host's address, a port that a container of another network has published.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network front
network back
container web --network front --publish 8080:80
container api --network back -- "${idle[@]}"
works fetch host http://127.0.0.1:8080/
works fetch api "http://$LAN:8080/"
why :8080 --from api
