#!/usr/bin/env bash
# A rule in the raw table drops packets before they are routed.
# code: forward-rule-drops|prerouting-rule-drops|input-drop
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
keep_rules
later iptables -t raw -D PREROUTING -i lan0 -p tcp --dport 8080 -j DROP
iptables -t raw -I PREROUTING -i lan0 -p tcp --dport 8080 -j DROP
fails fetch outside "http://$LAN:8080/"
why --names PREROUTING :8080 --from outside
heals fetch outside "http://$LAN:8080/"
