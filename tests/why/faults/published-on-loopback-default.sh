#!/usr/bin/env bash
# The engine publishes on 127.0.0.1 unless told otherwise.
# code: published-on-loopback
# engine: docker --ip=127.0.0.1
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
fails fetch outside "http://$LAN:8080/"
why :8080 --from outside
