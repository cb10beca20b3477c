#!/usr/bin/env bash
# A VPN takes all that has no route of its own, by a rule and a table as wg-quick makes them.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
vpn tun9
ip addr add 10.8.0.6/32 dev tun9
ip route add default dev tun9 table 51820
later ip rule delete priority 32764
later ip rule delete priority 32765
ip rule add priority 32765 not fwmark 51820 lookup 51820
ip rule add priority 32764 lookup main suppress_prefixlength 0
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why :8080 --from outside
