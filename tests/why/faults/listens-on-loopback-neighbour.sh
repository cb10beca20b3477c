#!/usr/bin/env bash
# The process listens on 127.0.0.1 of its container; another container of the network asks.
# code: listens-on-loopback
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app -- httpd -f -p 127.0.0.1:80 -h /www
container api --network app -- "${idle[@]}"
serves web 80
fails fetch api http://web/
why web:80 --from api
why web --from api
