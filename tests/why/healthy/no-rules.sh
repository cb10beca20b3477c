#!/usr/bin/env bash
# The engine makes no rules; the proxy carries all.
# engine: docker --iptables=false
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why :8080 --from outside
