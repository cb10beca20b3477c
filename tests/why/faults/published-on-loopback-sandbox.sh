#!/usr/bin/env bash
# The port of a sandbox is published on 127.0.0.1, and asked from outside.
# code: published-on-loopback
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 127.0.0.1:8080:80
works fetch host http://127.0.0.1:8080/
fails fetch outside "http://$LAN:8080/"
why :8080 --from outside
