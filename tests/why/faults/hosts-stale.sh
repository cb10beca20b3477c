#!/usr/bin/env bash
# An entry in the asking container's hosts names an address that the other one does not have.
# code: hosts-stale|name-not-resolved
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app
container api --network app --add-host web:172.31.255.9 -- "${idle[@]}"
works fetch api "http://$(address_of web)/"
fails fetch api http://web/
why web:80 --from api
