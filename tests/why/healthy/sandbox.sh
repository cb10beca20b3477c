#!/usr/bin/env bash
# A sandbox of pcapsule with published ports, asked from the host, outside and another sandbox.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
sandbox api -- "${idle[@]}"
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
works fetch api http://web/
works fetch web "http://$FAR/"
why :8080
why :8080 --from outside
why web
why web:80 --from api
why "$FAR:80" --from web
