#!/usr/bin/env bash
# DOCKER-USER jumps to a chain that lets in some sources and drops the rest.
# code: forward-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
keep_rules
iptables -N LOCKED
later iptables -X LOCKED
iptables -A LOCKED -s 10.0.0.0/8 -j RETURN
iptables -A LOCKED -s 192.168.0.0/16 -j RETURN
iptables -A LOCKED -m comment --comment "nobody else" -j DROP
iptables -I DOCKER-USER -i lan0 -m conntrack --ctstate NEW -j LOCKED
fails fetch outside "http://$LAN:8080/"
why --names LOCKED :8080 --from 198.51.100.2
heals fetch outside "http://$LAN:8080/"
