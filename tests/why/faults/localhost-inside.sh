#!/usr/bin/env bash
# A container asks a published port at its own 127.0.0.1.
# code: localhost-inside|published-on-other-port|nothing-listens
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
container api -- "${idle[@]}"
works fetch host http://127.0.0.1:8080/
fails fetch api http://127.0.0.1:8080/
why 127.0.0.1:8080 --from api
