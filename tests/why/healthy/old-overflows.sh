#!/usr/bin/env bash
# The queue of connections overflowed once, and all is well since.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80 -- perl -MIO::Socket::INET -e '
    my $l = IO::Socket::INET->new(LocalPort => 80, Listen => 1, ReuseAddr => 1) or die; sleep 2;
    while (my $c = $l->accept) { sysread $c, my $q, 1000; print $c "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nyes"; close $c; }'
serves web 80
address=$(address_of web)
at host perl -MIO::Socket::INET -e 'my @a = map { IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 80, Blocking => 0) } 1 .. 8; select undef, undef, undef, 1.5' "$address"
works fetch host http://127.0.0.1:8080/
works grep -q . /proc/net/netstat
why :8080
