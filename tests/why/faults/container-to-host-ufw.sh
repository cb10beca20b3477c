#!/usr/bin/env bash
# A firewall as ufw makes it lets no container ask the host itself.
# code: input-drop
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container api -- "${idle[@]}"
launch host busybox httpd -f -p 8000 -h "$(pages)"
serves host 8000
gateway=$(docker inspect --format '{{.NetworkSettings.Gateway}}' api)
works fetch api "http://$gateway:8000/"
keep_rules
iptables -N ufw-user-input
later iptables -X ufw-user-input
iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A INPUT -j ufw-user-input
iptables -A ufw-user-input -p tcp --dport 22 -j ACCEPT
later iptables -P INPUT ACCEPT
iptables -P INPUT DROP
fails fetch api "http://$gateway:8000/"
why "$gateway:8000" --from api
