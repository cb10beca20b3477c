#!/usr/bin/env bash
# Somebody has flushed the rules of Podman's network.
# code: dnat-missing
# engine: podman
. "${BASH_SOURCE%/*}/../lab.sh"

pod_container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
keep_rules
iptables -t nat -F PREROUTING
iptables -t nat -F OUTPUT
fails fetch outside "http://$LAN:8080/"
why :8080 --from outside
