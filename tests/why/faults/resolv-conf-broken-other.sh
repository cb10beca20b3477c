#!/usr/bin/env bash
# The container's resolv.conf names itself, where no server is.
# code: resolv-conf-broken
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app
container api --network app -- "${idle[@]}"
works fetch api http://web/
docker exec api sh -c 'echo "nameserver 127.0.0.1" >/etc/resolv.conf'
fails fetch api http://web/
why web:80 --from api
heals fetch api http://web/
