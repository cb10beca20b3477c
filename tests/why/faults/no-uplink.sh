#!/usr/bin/env bash
# The host itself has no default route.
# code: no-default-route|no-uplink|no-route
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web
works fetch web "http://$FAR/"
later ip route add default via "$NEIGHBOUR_ADDRESS"
ip route delete default
fails fetch web "http://$FAR/"
why "$FAR:80" --from web
