#!/usr/bin/env bash
# The network is internal: no port of it is published, and there is no way out.
# code: network-internal
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --internal
container web --network app --publish 8080:80
serves web 80
fails fetch host http://127.0.0.1:8080/
fails fetch web "http://$FAR/"
why :8080
why "$FAR:80" --from web
