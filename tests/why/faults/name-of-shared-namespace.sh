#!/usr/bin/env bash
# The asked container lives in another one's network, and has no name of its own there.
# code: name-not-resolved
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container vpn --network app -- "${idle[@]}"
container web --network container:vpn
container api --network app -- "${idle[@]}"
works fetch api http://vpn/
fails fetch api http://web/
why web:80 --from api
