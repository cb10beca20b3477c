#!/usr/bin/env bash
# The container has an address on its loopback, to which the host has a route.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
ip -n web addr add 10.99.9.9/32 dev lo
ip route add 10.99.9.9/32 via 10.77.0.2
works fetch host http://10.99.9.9/
why 10.99.9.9:80
why web:80
