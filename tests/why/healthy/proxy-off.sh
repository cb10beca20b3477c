#!/usr/bin/env bash
# Without the userland proxy; ports on IPv4.
# engine: docker --userland-proxy=false
. "${BASH_SOURCE%/*}/../lab.sh"

network app
bridge_nf 1
container web --network app --publish 0.0.0.0:8080:80
container api --network app -- "${idle[@]}"
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
works fetch web "http://$LAN:8080/"
works fetch api "http://$LAN:8080/"
why :8080
why :8080 --from outside
why :8080 --from web
why :8080 --from api
