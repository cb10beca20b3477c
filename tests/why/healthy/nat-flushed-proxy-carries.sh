#!/usr/bin/env bash
# The rules that translate ports are gone, but the engine's proxy carries the connection.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
keep_rules
iptables -t nat -F DOCKER
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why :8080 --from outside
