#!/usr/bin/env bash
# Containers made by hand on a host whose FORWARD policy is drop.
# code: forward-policy-drop
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 ! -o app -j MASQUERADE
works fetch web "http://$FAR/"
iptables -P FORWARD DROP
fails fetch web "http://$FAR/"
why "$FAR:80" --from web
heals fetch web "http://$FAR/"
