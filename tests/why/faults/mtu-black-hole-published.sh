#!/usr/bin/env bash
# The uplink takes smaller packets than the container sends, and the host's words about it are dropped.
# code: mtu-black-hole
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

need ethtool
container web --publish 8080:80
inside web ethtool -K eth0 tso off gso off >/dev/null
works fetch outside "http://$LAN:8080/big"
later ip link set lan0 mtu 1500
ip link set lan0 mtu 1300
keep_rules
iptables -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP
works fetch outside "http://$LAN:8080/"
fails fetch outside "http://$LAN:8080/big"
why :8080 --from outside
