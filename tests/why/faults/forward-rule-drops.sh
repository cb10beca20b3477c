#!/usr/bin/env bash
# A rule in DOCKER-USER drops what is for the container.
# code: forward-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
keep_rules
iptables -I DOCKER-USER -d "$(address_of web)" -p tcp --dport 80 -j DROP
fails fetch outside "http://$LAN:8080/"
why --names DOCKER-USER :8080 --from outside
why --names DOCKER-USER web --from outside
heals fetch outside "http://$LAN:8080/"
