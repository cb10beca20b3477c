#!/usr/bin/env bash
# The rule that hides the containers' addresses puts one there that the host has lost.
# code: masquerade-missing
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
ip addr add 198.51.100.7/24 dev lan0
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 -o lan0 -j SNAT --to-source 198.51.100.7
works fetch web "http://$FAR/"
ip addr delete 198.51.100.7/24 dev lan0
at outside ip neigh flush dev lan0
fails fetch web "http://$FAR/"
why --names '198\.51\.100\.7' "$FAR:80" --from web
