#!/usr/bin/env bash
# A rule inside the asking container drops what it sends.
# code: container-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app
container api --network app -- "${idle[@]}"
works fetch api http://web/
inside api iptables -A OUTPUT -p tcp --dport 80 -j DROP
fails fetch api http://web/
why web:80 --from api
heals fetch api http://web/
