#!/usr/bin/env bash
# The container has an IPv6 address, to which the published port leads by IPv6, but listens on IPv4 alone.
# code: listens-on-ipv4-only
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --ipv6 --subnet fd00:a::/64
container web --network app --publish 8080:80 -- httpd -f -p 0.0.0.0:80 -h /www
serves web 80
works fetch host http://127.0.0.1:8080/
fails fetch host 'http://[::1]:8080/'
fails fetch outside "http://[$LAN6]:8080/"
why :8080
