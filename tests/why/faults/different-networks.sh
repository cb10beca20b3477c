#!/usr/bin/env bash
# Two containers are on different networks.
# code: different-networks
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network front
network back
container web --network front
container api --network back -- "${idle[@]}"
serves web 80
fails fetch api http://web/
fails fetch api "http://$(address_of web)/"
why web:80 --from api
why web --from api
