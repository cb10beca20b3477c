#!/usr/bin/env bash
# A rule in the mangle table drops forwarded packets.
# code: forward-rule-drops|mangle-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
later iptables -t mangle -D FORWARD -o docker0 -j DROP
iptables -t mangle -I FORWARD -o docker0 -j DROP
fails fetch outside "http://$LAN:8080/"
why --names mangle :8080 --from outside
heals fetch outside "http://$LAN:8080/"
