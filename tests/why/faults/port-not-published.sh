#!/usr/bin/env bash
# The container listens, but its port is not published.
# code: port-not-published
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web
serves web 80
works fetch host "http://$(address_of web)/"
fails fetch outside "http://$LAN/"
fails fetch host http://127.0.0.1/
why web:80 --from outside
why :80
