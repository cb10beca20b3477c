#!/usr/bin/env bash
# The firewall hands packets to a program that does not run, and lets them pass if so (--queue-bypass).
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
iptables -I FORWARD -p tcp -j NFQUEUE --queue-num 0 --queue-bypass || cannot "this kernel has no NFQUEUE"
works fetch outside "http://$LAN:8080/"
works fetch host http://127.0.0.1:8080/
why :8080 --from outside
why :8080
