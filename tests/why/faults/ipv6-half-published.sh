#!/usr/bin/env bash
# The port is published on IPv4 and, by the engine's word, on IPv6, where nothing carries it.
# code: ipv6-half-published
# engine: docker --userland-proxy=false
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
fails fetch host 'http://[::1]:8080/'
fails fetch outside "http://[$LAN6]:8080/"
why :8080
