#!/usr/bin/env bash
# A command in a sandbox for its time, with a published port.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

launch host "$PCAPSULE" run --quiet --name web --publish 8080:80 -- busybox httpd -f -p 80 -h "$(pages)"
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why web
