#!/usr/bin/env bash
# A second default route leads by a gateway that nobody has, but by its metric it is not taken.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 ! -o app -j MASQUERADE
ip -n web route add default via 10.77.0.99 metric 400
ip route add default via 198.51.100.99 dev lan0 metric 400
works fetch web "http://$FAR/"
why "$FAR:80" --from web
why web:80
