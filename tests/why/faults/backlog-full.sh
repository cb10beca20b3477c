#!/usr/bin/env bash
# The process does not accept, and its queue of connections is full.
# code: backlog-full
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 -- perl -MIO::Socket::INET -e '
    my $listener = IO::Socket::INET->new(LocalPort => 80, Listen => 2, ReuseAddr => 1) or die; sleep 1000'
serves web 80
launch host perl -MIO::Socket::INET -e '
    my @all = map { IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 80, Blocking => 0) } 1 .. 8; sleep 1000' "$(address_of web)"
full() { inside web ss -Hltn "sport = :80" | awk '{ exit !($2 > $3) }'; }
works full
fails fetch host http://127.0.0.1:8080/
fails fetch outside "http://$LAN:8080/"
why :8080
why web:80
