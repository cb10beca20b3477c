#!/usr/bin/env bash
# A route of the host, as of a VPN, covers the container's address.
# code: subnet-overlap
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --subnet 172.30.0.0/24
container web --network app --publish 8080:80
works fetch host http://127.0.0.1:8080/
vpn tun9
ip route add 172.30.0.0/25 dev tun9
fails fetch host http://127.0.0.1:8080/
why --names tun9 :8080
why --names tun9 web
heals fetch host http://127.0.0.1:8080/
