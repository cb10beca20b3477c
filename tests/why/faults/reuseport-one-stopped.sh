#!/usr/bin/env bash
# Two processes share the port, and one of them is stopped: every second connection hangs.
# code: process-stopped
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

server=(perl -MSocket -e '
    socket(my $listener, PF_INET, SOCK_STREAM, 0) or die; setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
    setsockopt($listener, SOL_SOCKET, SO_REUSEPORT, 1) or die "$!";
    bind($listener, pack_sockaddr_in(80, INADDR_ANY)) or die; listen $listener, 20;
    while (accept my $peer, $listener) { sysread $peer, my $asked, 4096; syswrite $peer, "HTTP/1.0 200 OK\r\n\r\nhere"; close $peer }')
sandbox web --publish 8080:80 -- "${server[@]}"
serves web 80
launch web "${server[@]}"
two() { (($(inside web ss -Hltn "sport = :80" | wc -l) == 2)); }
works two
second=$(inside web ss -Hltnp "sport = :80" | sed -n 's/.*pid=\([0-9]*\),.*/\1/p' | sort -n | tail -n 1)
kill -STOP "$second"
later kill -CONT "$second"
all_of_them() { for _ in {1..12}; do fetch host http://127.0.0.1:8080/ || return; done; }
fails all_of_them
why :8080
