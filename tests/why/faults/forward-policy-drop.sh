#!/usr/bin/env bash
# The policy of FORWARD is drop, and somebody has flushed Docker's rules that accept.
# code: forward-policy-drop
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
keep_rules
iptables -F FORWARD
fails fetch outside "http://$LAN:8080/"
fails fetch web "http://$FAR/"
why :8080 --from outside
why "$FAR:80" --from web
heals fetch web "http://$FAR/"
