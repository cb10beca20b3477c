#!/usr/bin/env bash
# A container with two interfaces answers by another one than it was asked by, and nobody minds (loose filters).
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge one 10.77.1.1/24
bridge two 10.77.2.1/24
bridge three 10.77.3.1/24
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=2
namespace web one 10.77.1.2/24
namespace api three 10.77.3.2/24 -- "${idle[@]}"
ip link add vweb2 type veth peer name eth1 netns web
ip link set vweb2 master two up
ip -n web addr add 10.77.2.2/24 dev eth1
ip -n web link set eth1 up
works fetch api http://10.77.2.2/
why 10.77.2.2:80 --from api
