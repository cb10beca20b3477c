#!/usr/bin/env bash
# The process listens on ::1 alone.
# code: listens-on-loopback
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 --sysctl net.ipv6.conf.lo.disable_ipv6=0 -- httpd -f -p '[::1]:80' -h /www
serves web 80
fails fetch host http://127.0.0.1:8080/
fails fetch outside "http://$LAN:8080/"
why :8080
why web:80
