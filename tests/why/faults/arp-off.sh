#!/usr/bin/env bash
# The container's interface does not speak ARP.
# code: arp-off|lost-on-the-way
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
inside web ip link set eth0 arp off
ip neigh flush dev docker0
fails fetch host http://127.0.0.1:8080/
why :8080
