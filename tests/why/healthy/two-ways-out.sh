#!/usr/bin/env bash
# The host's default route has two gateways (multipath), and another route a shared next hop.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 ! -o app -j MASQUERADE
ip route replace default nexthop via "$NEIGHBOUR_ADDRESS" dev lan0 weight 1 nexthop via "$DNS" dev lan0 weight 1
works fetch web "http://$FAR/"
why "$FAR:80" --from web
ip nexthop add id 7 via "$NEIGHBOUR_ADDRESS" dev lan0
ip route add 203.0.113.0/24 nhid 7
works fetch web "http://$FAR/"
why "$FAR:80" --from web
