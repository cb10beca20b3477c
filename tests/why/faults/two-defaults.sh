#!/usr/bin/env bash
# The container has two default routes, and the one by a gateway that nobody has wins by its metric.
# code: wrong-gateway
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 ! -o app -j MASQUERADE
ip -n web route replace default via 10.77.0.1 metric 100
ip -n web route delete default via 10.77.0.1 metric 0 2>/dev/null || true
works fetch web "http://$FAR/"
ip -n web route add default via 10.77.0.99 metric 10
fails fetch web "http://$FAR/"
why --names '10\.77\.0\.99' "$FAR:80" --from web
