#!/usr/bin/env bash
# The port is published by a process of the host that relays, and by no rule.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

need socat
bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
launch host socat TCP-LISTEN:8080,fork,reuseaddr TCP:10.77.0.2:80
serves host 8080
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why :8080 --from outside
why web:80
