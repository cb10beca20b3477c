#!/usr/bin/env bash
# The other end of an overlay (VXLAN) is reached by packets that the host's firewall drops when they answer.
# code: lost-on-the-way
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
ip link add vx7 type vxlan id 7 local "$LAN" remote "$NEIGHBOUR_ADDRESS" dstport 4789 dev lan0 || cannot "this kernel has no VXLAN"
ip link set vx7 master app up
at outside ip link add vx7 type vxlan id 7 local "$NEIGHBOUR_ADDRESS" remote "$LAN" dstport 4789 dev lan0
at outside ip addr add 10.77.0.9/24 dev vx7
at outside ip link set vx7 up
launch outside busybox httpd -f -p 10.77.0.9:80 -h "$(pages)"
works fetch web http://10.77.0.9/
iptables -A INPUT -p udp --dport 4789 -j DROP
fails fetch web http://10.77.0.9/
why --names vx7 10.77.0.9:80 --from web
