#!/usr/bin/env bash
# Two processes share the port, and one of them is stopped: every second connection hangs.
# code: process-stopped
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

need socat
page='SYSTEM:printf "HTTP/1.0 200 OK\r\n\r\nhere"'
sandbox web --publish 8080:80 -- socat TCP-LISTEN:80,fork,reuseaddr,reuseport "$page"
serves web 80
launch web socat TCP-LISTEN:80,fork,reuseaddr,reuseport "$page"
two() { (($(inside web ss -Hltn "sport = :80" | wc -l) == 2)); }
works two
second=$(pgrep -n -f '^socat TCP-LISTEN:80')
kill -STOP "$second"
later kill -CONT "$second"
all_of_them() { for _ in {1..12}; do fetch host http://127.0.0.1:8080/ || return; done; }
fails all_of_them
why :8080
