#!/usr/bin/env bash
# A container asks another one's address across networks, which Docker keeps apart.
# code: different-networks
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network front
network back
container web --network front
container api --network back -- "${idle[@]}"
serves web 80
fails fetch api "http://$(address_of web)/"
why "$(address_of web):80" --from api
heals fetch api "http://$(address_of web)/"
