#!/usr/bin/env bash
# A parent process is stopped, but its child accepts on the socket that both hold.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80 -- perl -MIO::Socket::INET -e '
    my $listener = IO::Socket::INET->new(LocalPort => 80, Listen => 20, ReuseAddr => 1) or die;
    if (fork) { kill STOP => $$; sleep 1000 }
    while (my $peer = $listener->accept) { sysread $peer, my $asked, 4096; print $peer "HTTP/1.0 200 OK\r\n\r\nhere"; close $peer }'
serves web 80
works fetch host http://127.0.0.1:8080/
why :8080
why web:80
