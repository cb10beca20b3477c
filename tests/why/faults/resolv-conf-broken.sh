#!/usr/bin/env bash
# The container's resolv.conf names no server.
# code: resolv-conf-broken
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app
container api --network app -- "${idle[@]}"
works fetch api http://web/
docker exec api sh -c 'echo "# nothing" >/etc/resolv.conf'
fails fetch api http://web/
why web:80 --from api
why far.example:80 --from api
