#!/usr/bin/env bash
# A rule in DOCKER-USER rejects what comes from outside.
# code: forward-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
keep_rules
iptables -I DOCKER-USER -i lan0 -j REJECT
fails fetch outside "http://$LAN:8080/"
why --names DOCKER-USER :8080 --from outside
heals fetch outside "http://$LAN:8080/"
