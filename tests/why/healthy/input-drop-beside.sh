#!/usr/bin/env bash
# INPUT drops the published port from outside, where Docker's rules lead past it.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
keep_rules
iptables -I INPUT -i lan0 -p tcp --dport 8080 -j DROP
works fetch outside "http://$LAN:8080/"
works fetch host http://127.0.0.1:8080/
why :8080
why :8080 --from outside
