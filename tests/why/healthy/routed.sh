#!/usr/bin/env bash
# A container without a bridge: a cable, an address of its own, routes on both sides, and proxy ARP, as Calico does it.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sysctl -qw net.ipv4.ip_forward=1
kinds[web]=netns
ip netns add web
ip link add caliw type veth peer name eth0 netns web
ip link set caliw up
sysctl -qw net.ipv4.conf.caliw.proxy_arp=1
ip -n web link set lo up
ip -n web addr add 10.77.0.2/32 dev eth0
ip -n web link set eth0 up
ip -n web route add 169.254.1.1 dev eth0 scope link
ip -n web route add default via 169.254.1.1 dev eth0
ip route add 10.77.0.2/32 dev caliw
launch web busybox httpd -f -p 80 -h "$(pages)"
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 -o lan0 -j MASQUERADE
works fetch host http://10.77.0.2/
works fetch web "http://$FAR/"
why web:80
why "$FAR:80" --from web
