#!/usr/bin/env bash
# A rule inside the container drops its own answers.
# code: container-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
inside web iptables -A OUTPUT -p tcp --sport 80 -j DROP
fails fetch host http://127.0.0.1:8080/
why :8080
heals fetch host http://127.0.0.1:8080/
