#!/usr/bin/env bash
# The rule that hides the containers' addresses names an interface that is not the uplink.
# code: masquerade-missing
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 -o eth0 -j MASQUERADE
fails fetch web "http://$FAR/"
why "$FAR:80" --from web
