#!/usr/bin/env bash
# A container lets nothing out but by its tunnel, and so no answer either.
# code: container-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
inside web iptables -A OUTPUT -o lo -j ACCEPT
inside web iptables -A OUTPUT -o tun0 -j ACCEPT
inside web iptables -A OUTPUT -p udp -d 203.0.113.5 --dport 51820 -j ACCEPT
inside web iptables -P OUTPUT DROP
fails fetch host http://127.0.0.1:8080/
fails fetch outside "http://$LAN:8080/"
why :8080
why web:80
why :8080 --from outside
