#!/usr/bin/env bash
# The answers take a way past the host, whose firewall then drops what follows as invalid.
# code: forward-rule-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
ip link add side type veth peer name eth1 netns web
ip link set side netns /proc/self/fd/9
ip -n web addr add 10.99.0.2/24 dev eth1
ip -n web link set eth1 up
at outside ip addr add 10.99.0.1/24 dev side
at outside ip link set side up
at outside ip route add 10.77.0.0/24 via "$LAN"
ip -n web route add "$NEIGHBOUR_ADDRESS/32" via 10.99.0.1
works fetch outside http://10.77.0.2/
iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP
fails fetch outside http://10.77.0.2/
why --names INVALID web:80 --from outside
