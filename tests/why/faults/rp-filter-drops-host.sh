#!/usr/bin/env bash
# The host gets by its second uplink what it would answer by its first, and filters that (rp_filter).
# code: rp-filter-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

ip link add lan1 type veth peer name lan1 netns /proc/self/fd/9
ip addr add 198.51.101.1/24 dev lan1
ip link set lan1 up
at outside ip addr add 198.51.101.2/24 dev lan1
at outside ip link set lan1 up
at outside ip addr add 192.0.2.9/32 dev lo
at outside ip route add "$LAN/32" dev lan1 src 192.0.2.9
sandbox web --publish 8080:80
works fetch outside "http://$LAN:8080/"
sysctl -qw net.ipv4.conf.lan1.rp_filter=1
fails fetch outside "http://$LAN:8080/"
why :8080 --from outside
heals fetch outside "http://$LAN:8080/"
