#!/usr/bin/env bash
# The container was given no address, and took one for itself (169.254).
# code: no-address|no-default-route
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 ! -o app -j MASQUERADE
works fetch web "http://$FAR/"
ip -n web addr flush dev eth0
ip -n web addr add 169.254.7.7/16 dev eth0 scope link
fails fetch web "http://$FAR/"
fails fetch host http://169.254.7.7/
why "$FAR:80" --from web
why web:80
