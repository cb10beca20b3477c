#!/usr/bin/env bash
# Two containers on an internal network talk to each other.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --internal
container web --network app
container api --network app -- "${idle[@]}"
works fetch api http://web/
works fetch host "http://$(address_of web)/"
why web:80 --from api
why web:80
