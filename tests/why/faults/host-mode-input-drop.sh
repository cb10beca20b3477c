#!/usr/bin/env bash
# A container in host mode, and a firewall that does not let its port in.
# code: input-drop
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --network host -- httpd -f -p 8000 -h /www
works fetch outside "http://$LAN:8000/"
later iptables -D INPUT -p tcp --dport 8000 ! -i lo -j REJECT
iptables -I INPUT -p tcp --dport 8000 ! -i lo -j REJECT
fails fetch outside "http://$LAN:8000/"
why web:8000 --from outside
heals fetch outside "http://$LAN:8000/"
