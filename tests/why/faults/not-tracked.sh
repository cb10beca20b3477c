#!/usr/bin/env bash
# A rule excepts the port from the table of connections, and so from its translation.
# code: dnat-missing
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to 10.77.0.2:80
works fetch outside "http://$LAN:8080/"
iptables -t raw -A PREROUTING -p tcp --dport 8080 -j NOTRACK
fails fetch outside "http://$LAN:8080/"
why --names '(?i)no-?track|CT' :8080 --from outside
