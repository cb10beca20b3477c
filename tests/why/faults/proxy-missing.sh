#!/usr/bin/env bash
# Docker's proxy has been killed: 127.0.0.1, which the rules leave out, does not answer.
# code: proxy-missing
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
mapfile -t proxies < <(ss -Hltnp 'sport = :8080' | grep -o 'pid=[0-9]*' | sort -u | cut -d= -f2)
kill -KILL "${proxies[@]}"
fails fetch host http://127.0.0.1:8080/
works fetch host "http://$LAN:8080/"
why :8080
heals fetch host http://127.0.0.1:8080/
