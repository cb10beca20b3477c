#!/usr/bin/env bash
# The container's default route goes by another container, which does not forward.
# code: wrong-gateway
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
namespace other app 10.77.0.3/24 -- "${idle[@]}"
ip netns exec other sysctl -qw net.ipv4.ip_forward=0
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 ! -o app -j MASQUERADE
ip -n web route replace default via 10.77.0.3
fails fetch web "http://$FAR/"
why --names '10\.77\.0\.3' "$FAR:80" --from web
