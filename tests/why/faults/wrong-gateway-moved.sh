#!/usr/bin/env bash
# The bridge has another address than the one that its containers take for their gateway.
# code: wrong-gateway|bridge-without-address
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --subnet 172.30.0.0/24
container web --network app --publish 8080:80
works fetch web "http://$FAR/"
ip addr delete 172.30.0.1/24 dev app
ip addr add 172.30.0.9/24 dev app
inside web ip neigh flush dev eth0
fails fetch web "http://$FAR/"
fails fetch outside "http://$LAN:8080/"
why --names '172\.30\.0\.1' "$FAR:80" --from web
why :8080 --from outside
