#!/usr/bin/env bash
# A mark sends the container's packets into a table of its own, which leads out as well.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 ! -o app -j MASQUERADE
iptables -t mangle -A PREROUTING -i app -j MARK --set-mark 0x1
ip route add default via "$NEIGHBOUR_ADDRESS" dev lan0 table 100
ip rule add fwmark 0x1 lookup 100
ip route replace default via 198.51.100.99 dev lan0
works fetch web "http://$FAR/"
works fetch host http://10.77.0.2/
why "$FAR:80" --from web
why web:80
