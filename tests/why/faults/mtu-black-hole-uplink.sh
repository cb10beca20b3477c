#!/usr/bin/env bash
# The host's uplink takes smaller packets than the container sends, and the word about it is dropped.
# code: mtu-black-hole
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

need ethtool
bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
inside web ethtool -K eth0 tso off gso off >/dev/null
iptables -t nat -A PREROUTING -d "$LAN" -p tcp --dport 8080 -j DNAT --to 10.77.0.2:80
works fetch outside "http://$LAN:8080/big"
ip link set lan0 mtu 1200
iptables -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP
works fetch outside "http://$LAN:8080/"
fails fetch outside "http://$LAN:8080/big"
why web:80 --from outside
