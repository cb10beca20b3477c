#!/usr/bin/env bash
# A VPN's default takes the answers to clients far away, who asked by the uplink.
# code: policy-route|subnet-overlap|wrong-gateway|asymmetric-route
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
works fetch outside "http://$LAN:8080/" --interface "$FAR"
vpn tun9
ip addr add 10.8.0.6/24 dev tun9
ip route add 0.0.0.0/1 dev tun9
ip route add 128.0.0.0/1 dev tun9
works fetch outside "http://$LAN:8080/"
fails fetch outside "http://$LAN:8080/" --interface "$FAR"
why --names tun9 :8080 --from "$FAR"
