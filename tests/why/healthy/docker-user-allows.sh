#!/usr/bin/env bash
# DOCKER-USER lets the LAN in and drops the rest of what comes by the uplink.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
container api --publish 9090:80
keep_rules
iptables -F DOCKER-USER
iptables -A DOCKER-USER -i lan0 -s 198.51.100.0/24 -p tcp --dport 80 -j RETURN
iptables -A DOCKER-USER -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN
iptables -A DOCKER-USER -i lan0 -j DROP
iptables -A DOCKER-USER -j RETURN
works fetch outside "http://$LAN:8080/"
works fetch host http://127.0.0.1:8080/
works fetch web "http://$FAR/"
why :8080
why :8080 --from outside
why "$FAR:80" --from web
