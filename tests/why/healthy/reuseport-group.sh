#!/usr/bin/env bash
# Four processes share the port (SO_REUSEPORT).
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

need socat
page='SYSTEM:printf "HTTP/1.0 200 OK\r\n\r\nhere"'
sandbox web --publish 8080:80 -- socat TCP-LISTEN:80,fork,reuseaddr,reuseport "$page"
serves web 80
for _ in 1 2 3; do launch web socat TCP-LISTEN:80,fork,reuseaddr,reuseport "$page"; done
four() { (($(inside web ss -Hltn "sport = :80" | wc -l) == 4)); }
works four
works fetch host http://127.0.0.1:8080/
why :8080
why web:80
