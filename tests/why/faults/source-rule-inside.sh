#!/usr/bin/env bash
# What the container sends from its second address goes by a gateway that nobody has.
# code: wrong-gateway
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge one 10.77.1.1/24
bridge two 10.77.2.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web one 10.77.1.2/24
ip link add vweb2 type veth peer name eth1 netns web
ip link set vweb2 master two up
ip -n web addr add 10.77.2.2/24 dev eth1
ip -n web link set eth1 up
at outside ip route add 10.77.0.0/16 via "$LAN"
ip -n web route add default via 10.77.2.1 dev eth1 table 200
ip -n web rule add from 10.77.2.2 lookup 200
works fetch outside http://10.77.2.2/
ip -n web route replace default via 10.77.2.99 dev eth1 table 200
fails fetch outside http://10.77.2.2/
works fetch outside http://10.77.1.2/
why --names '10\.77\.2\.99' 10.77.2.2:80 --from outside
