#!/usr/bin/env bash
# The process listens on IPv6 alone, and the port is asked by IPv4.
# code: listens-on-ipv6-only
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 --sysctl net.ipv6.bindv6only=1 -- httpd -f -p '[::]:80' -h /www
serves web 80
fails fetch host http://127.0.0.1:8080/
fails fetch outside "http://$LAN:8080/"
why :8080
why web:80
