#!/usr/bin/env bash
# A VPN's table, which is asked before the main one, covers the containers' network.
# code: subnet-overlap|policy-route
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --subnet 172.30.0.0/24
container web --network app --publish 8080:80
works fetch host http://127.0.0.1:8080/
vpn tun9
ip route add 172.30.0.0/16 dev tun9 table 220
later ip rule delete priority 220
ip rule add priority 220 lookup 220
fails fetch host http://127.0.0.1:8080/
why --names tun9 :8080
