#!/usr/bin/env bash
# Four processes share the port (SO_REUSEPORT).
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

server=(perl -MSocket -e '
    socket(my $listener, PF_INET, SOCK_STREAM, 0) or die; setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
    setsockopt($listener, SOL_SOCKET, SO_REUSEPORT, 1) or die "$!";
    bind($listener, pack_sockaddr_in(80, INADDR_ANY)) or die; listen $listener, 20;
    while (accept my $peer, $listener) { sysread $peer, my $asked, 4096; syswrite $peer, "HTTP/1.0 200 OK\r\n\r\nhere"; close $peer }')
sandbox web --publish 8080:80 -- "${server[@]}"
serves web 80
for _ in 1 2 3; do launch web "${server[@]}"; done
four() { (($(inside web ss -Hltn "sport = :80" | wc -l) == 4)); }
works four
works fetch host http://127.0.0.1:8080/
why :8080
why web:80
