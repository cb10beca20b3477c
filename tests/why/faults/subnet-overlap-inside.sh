#!/usr/bin/env bash
# The container's own network covers the address of a machine elsewhere.
# code: subnet-overlap
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --subnet 203.0.113.0/24
container web --network app --publish 8080:80
fails fetch web "http://$FAR/"
works fetch host http://127.0.0.1:8080/
why "$FAR:80" --from web
