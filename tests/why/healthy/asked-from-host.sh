#!/usr/bin/env bash
# The host does not forward, and FORWARD drops all; but the host itself is asking.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
keep_rules
iptables -F FORWARD
later sysctl -qw net.ipv4.ip_forward=1
sysctl -qw net.ipv4.ip_forward=0
inside web ip route delete default
works fetch host http://127.0.0.1:8080/
works fetch host "http://$(address_of web)/"
why web:80 --from host
why :8080 --from host
