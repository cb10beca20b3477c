#!/usr/bin/env bash
# The network does not let its containers talk to each other (enable_icc=false).
# code: icc-off
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --opt com.docker.network.bridge.enable_icc=false
container web --network app
container api --network app -- "${idle[@]}"
serves web 80
fails fetch api http://web/
why web:80 --from api
why web --from api
