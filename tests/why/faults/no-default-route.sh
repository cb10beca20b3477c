#!/usr/bin/env bash
# The container has no default route.
# code: no-default-route
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
inside web ip route delete default
fails fetch outside "http://$LAN:8080/"
fails fetch web "http://$FAR/"
why :8080 --from outside
why "$FAR:80" --from web
heals fetch web "http://$FAR/"
