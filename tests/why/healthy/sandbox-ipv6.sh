#!/usr/bin/env bash
# A sandbox with IPv6.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --ipv6 --publish 8080:80
works fetch host http://127.0.0.1:8080/
works fetch host 'http://[::1]:8080/'
works fetch outside "http://[$LAN6]:8080/"
why :8080
why web
