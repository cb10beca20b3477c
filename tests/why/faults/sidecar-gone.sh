#!/usr/bin/env bash
# All that a container sends is redirected to a process inside, which has gone.
# code: nothing-listens
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app
container api --network app -- "${idle[@]}"
works fetch api http://web/
inside api iptables -t nat -A OUTPUT -p tcp ! -d 127.0.0.0/8 -j REDIRECT --to-ports 15001
fails fetch api "http://$(address_of web)/"
why --names 15001 web:80 --from api
