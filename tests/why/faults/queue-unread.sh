#!/usr/bin/env bash
# The firewall hands the packets to a program that does not run (NFQUEUE).
# code: forward-rule-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
works fetch outside "http://$LAN:8080/"
iptables -I FORWARD -p tcp -j NFQUEUE --queue-num 0 || cannot "this kernel has no NFQUEUE"
fails fetch outside "http://$LAN:8080/"
why --names NFQUEUE :8080 --from outside
heals fetch outside "http://$LAN:8080/"
