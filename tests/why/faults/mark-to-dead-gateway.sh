#!/usr/bin/env bash
# A mark of the host's firewall sends the container's packets into a table whose gateway nobody has.
# code: wrong-gateway
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 ! -o app -j MASQUERADE
iptables -t mangle -A PREROUTING -i app -j MARK --set-mark 0x1
works fetch web "http://$FAR/"
ip route add default via 198.51.100.99 dev lan0 table 100
ip rule add fwmark 0x1 lookup 100
fails fetch web "http://$FAR/"
why --names '198\.51\.100\.99' "$FAR:80" --from web
