#!/usr/bin/env bash
# A container on Docker's default bridge, its port published on every address.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
works fetch web "http://$FAR/"
why :8080
why :8080 --from outside
why web
why web:80
why "$FAR:80" --from web
