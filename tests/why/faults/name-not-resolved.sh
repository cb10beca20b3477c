#!/usr/bin/env bash
# Nobody on the network has the name that is asked for: an alias is missing.
# code: name-not-resolved
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container shop-db-1 --network app
container api --network app -- "${idle[@]}"
works fetch api http://shop-db-1/
fails fetch api http://db/
why db:80 --from api
