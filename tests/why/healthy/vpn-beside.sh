#!/usr/bin/env bash
# A VPN's routes and its half-and-half default, none of which covers the container.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
vpn tun9
ip addr add 10.8.0.6/24 dev tun9
ip route add 10.20.0.0/16 dev tun9
ip route add 172.16.0.0/16 dev tun9
ip route add blackhole 10.66.0.0/16
ip route add 203.0.113.0/24 via 198.51.100.2 dev lan0
later ip route delete 203.0.113.0/24
later ip route delete 10.66.0.0/16
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why :8080 --from outside
why "$FAR:80" --from web
