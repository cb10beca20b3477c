#!/usr/bin/env bash
# No bridge: the container has a /32, a gateway on the link that proxies ARP, and a route on the host.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sysctl -qw net.ipv4.ip_forward=1
kinds[web]=netns kinds[api]=netns
for pair in web:10.77.0.2 api:10.77.0.3; do
    name=${pair%:*} address=${pair#*:}
    ip netns add "$name"
    later ip netns delete "$name"
    ip link add "cali$name" address ee:ee:ee:ee:ee:ee type veth peer name eth0 netns "$name"
    ip link set "cali$name" up
    sysctl -qw "net.ipv4.conf.cali$name.proxy_arp=1"
    ip -n "$name" link set lo up
    ip -n "$name" addr add "$address/32" dev eth0
    ip -n "$name" link set eth0 up
    ip -n "$name" route add 169.254.1.1 dev eth0 scope link
    ip -n "$name" route add default via 169.254.1.1
    ip route add "$address/32" dev "cali$name" scope link
done
iptables -t nat -A POSTROUTING -s 10.77.0.0/24 -o lan0 -j MASQUERADE
launch web busybox httpd -f -p 80 -h "$(pages)"
serves web 80
works fetch host http://10.77.0.2/
works fetch api http://10.77.0.2/
works fetch web "http://$FAR/"
why web:80
why web:80 --from api
why "$FAR:80" --from web
