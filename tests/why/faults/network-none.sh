#!/usr/bin/env bash
# The container has no network at all.
# code: network-none
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --network none
serves web 80
fails fetch web "http://$FAR/"
why web
why web:80
why "$FAR:80" --from web
heals fetch web "http://$FAR/"
