#!/usr/bin/env bash
# A firewall as ufw makes it (INPUT and FORWARD drop, chains of its own) beside Docker's rules.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
launch host busybox httpd -f -p 8000 -h "$(pages)"
keep_rules
for chain in ufw-before-input ufw-user-input ufw-before-forward ufw-user-forward ufw-reject-forward; do iptables -N "$chain"; done
later iptables -X
iptables -A ufw-before-input -i lo -j ACCEPT
iptables -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A ufw-before-input -m conntrack --ctstate INVALID -j DROP
iptables -A ufw-before-input -p icmp --icmp-type echo-request -j ACCEPT
iptables -A ufw-before-input -j ufw-user-input
iptables -A ufw-user-input -p tcp --dport 22 -j ACCEPT
iptables -A ufw-user-input -p tcp -s 198.51.100.0/24 --dport 8000 -j ACCEPT
iptables -A ufw-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A ufw-before-forward -j ufw-user-forward
iptables -A INPUT -j ufw-before-input
iptables -P INPUT DROP
iptables -A FORWARD -j ufw-before-forward
iptables -A FORWARD -j ufw-reject-forward
iptables -A ufw-reject-forward -j REJECT
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
works fetch outside "http://$LAN:8000/"
works fetch web "http://$FAR/"
why :8080
why :8080 --from outside
why :8000 --from outside
why "$FAR:80" --from web
