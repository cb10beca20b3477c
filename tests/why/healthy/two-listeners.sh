#!/usr/bin/env bash
# Two processes share a port (SO_REUSEPORT), one of them stopped long ago on another.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80 -- perl -MSocket -e '
    for (1 .. 2) { next if fork;
        socket my $l, PF_INET, SOCK_STREAM, 0; setsockopt $l, SOL_SOCKET, 15, 1; bind $l, sockaddr_in(80, INADDR_ANY) or die; listen $l, 8;
        while (accept my $c, $l) { sysread $c, my $q, 1000; syswrite $c, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes"; close $c } }
    wait; wait'
serves web 80
works fetch host http://127.0.0.1:8080/
why :8080
why web
