#!/usr/bin/env bash
# The port is published on 127.0.0.1, and asked from outside.
# code: published-on-loopback
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 127.0.0.1:8080:80
works fetch host http://127.0.0.1:8080/
fails fetch outside "http://$LAN:8080/"
why --names '127\.0\.0\.1' :8080 --from outside
why web --from outside
