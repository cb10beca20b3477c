#!/usr/bin/env bash
# The container has another address than the one its port leads to.
# code: address-differs
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
inside web ip addr flush dev eth0
inside web ip addr add 172.17.0.77/16 dev eth0
inside web ip route add default via 172.17.0.1
works fetch host http://172.17.0.77/
fails fetch host http://127.0.0.1:8080/
why --names '172\.17\.0\.77' :8080
heals fetch host http://127.0.0.1:8080/
