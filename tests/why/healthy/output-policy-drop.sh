#!/usr/bin/env bash
# The host's OUTPUT drops all but what is needed.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
keep_rules
iptables -A OUTPUT -o lo -j ACCEPT
iptables -A OUTPUT -o docker0 -p tcp --dport 80 -j ACCEPT
iptables -A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
iptables -P OUTPUT DROP
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why :8080 --from outside
