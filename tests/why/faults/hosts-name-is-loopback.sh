#!/usr/bin/env bash
# In the asking container's hosts the other one's name stands behind 127.0.0.1.
# code: name-not-resolved
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app
container api --network app --add-host web:127.0.0.1 -- "${idle[@]}"
works fetch api "http://$(address_of web)/"
fails fetch api http://web/
why --names '127\.0\.0\.1' web:80 --from api
