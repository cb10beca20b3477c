#!/usr/bin/env bash
# A container on two networks, asked by a neighbour on the second.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network front
network back
container web --network front --publish 8080:80
docker network connect back web
container api --network back -- "${idle[@]}"
works fetch api http://web/
works fetch host http://127.0.0.1:8080/
why web:80 --from api
why :8080
