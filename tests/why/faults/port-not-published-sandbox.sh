#!/usr/bin/env bash
# A sandbox listens, but its port is not published.
# code: port-not-published
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web
serves web 80
works fetch host "http://$(address_of web)/"
fails fetch outside "http://$LAN/"
why web:80 --from outside
why :80
