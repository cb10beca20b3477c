#!/usr/bin/env bash
# A policy of IPsec wants what goes to that network in a tunnel that does not exist.
# code: lost-on-the-way
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 ! -o app -j MASQUERADE
works fetch web "http://$FAR/"
ip xfrm policy add dst 203.0.113.0/24 dir out tmpl src "$LAN" dst "$NEIGHBOUR_ADDRESS" proto esp mode tunnel reqid 7 || cannot "this kernel has no IPsec"
ip xfrm policy add dst 203.0.113.0/24 dir fwd action block
fails fetch web "http://$FAR/"
why --names lan0 "$FAR:80" --from web
