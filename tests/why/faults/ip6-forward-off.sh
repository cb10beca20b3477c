#!/usr/bin/env bash
# The host forwards IPv4 but not IPv6, by which the container's port is asked at its own address.
# code: ip-forward-off
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --ipv6 --subnet 2001:db8:77::/64
container web --network app
at outside ip -6 route add 2001:db8:77::/64 via "$LAN6"
later at outside ip -6 route delete 2001:db8:77::/64
works fetch outside "http://[$(address6_of web)]/"
later sysctl -qw net.ipv6.conf.all.forwarding=1
sysctl -qw net.ipv6.conf.all.forwarding=0
ip -6 route replace default via "$NEIGHBOUR6"
fails fetch outside "http://[$(address6_of web)]/"
why "[$(address6_of web)]:80" --from outside
heals fetch outside "http://[$(address6_of web)]/"
