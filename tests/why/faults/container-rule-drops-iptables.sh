#!/usr/bin/env bash
# The INPUT policy inside the container is drop.
# code: container-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
inside web iptables -P INPUT DROP
fails fetch host http://127.0.0.1:8080/
why :8080
heals fetch host http://127.0.0.1:8080/
