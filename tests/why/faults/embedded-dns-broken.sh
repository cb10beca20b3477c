#!/usr/bin/env bash
# The rules that lead to Docker's name server have been flushed inside the asking container.
# code: embedded-dns-broken|dns-refused|dns-silent
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app
container api --network app -- "${idle[@]}"
works fetch api http://web/
inside api iptables -t nat -F
fails fetch api http://web/
why web:80 --from api
