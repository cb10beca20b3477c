#!/usr/bin/env bash
# The container's address is on its loopback, and it answers no question for it (arp_ignore).
# code: no-answer
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
ip -n web addr add 10.77.0.50/32 dev lo
works fetch host http://10.77.0.50/
ip netns exec web sysctl -qw net.ipv4.conf.all.arp_ignore=1
ip neigh flush dev app
fails fetch host http://10.77.0.50/
why 10.77.0.50:80
