#!/usr/bin/env bash
# Forwarding is off on the bridge of a container made by hand.
# code: ip-forward-off
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 ! -o app -j MASQUERADE
works fetch web "http://$FAR/"
sysctl -qw net.ipv4.conf.app.forwarding=0
fails fetch web "http://$FAR/"
why "$FAR:80" --from web
heals fetch web "http://$FAR/"
