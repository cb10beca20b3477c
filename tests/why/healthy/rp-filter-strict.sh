#!/usr/bin/env bash
# Strict reverse-path filters, as many distributions have them.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
later sh -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done'
for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 >"$file"; done
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why :8080 --from outside
