#!/usr/bin/env bash
# The process listens on the one interface by which it is asked (SO_BINDTODEVICE).
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80 -- perl -MSocket -e '
    socket(my $listener, PF_INET, SOCK_STREAM, 0) or die; setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
    setsockopt($listener, SOL_SOCKET, 25, "eth0\0") or die "$!";
    bind($listener, pack_sockaddr_in(80, INADDR_ANY)) or die; listen $listener, 20;
    while (accept my $peer, $listener) { sysread $peer, my $asked, 4096; syswrite $peer, "HTTP/1.0 200 OK\r\n\r\nhere"; close $peer }'
serves web 80
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why web:80
