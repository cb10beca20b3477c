#!/usr/bin/env bash
# A connection that goes out of the host has the port; the container could not be started.
# code: host-port-taken
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

launch host perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalPort => 8087, PeerAddr => $ARGV[0], PeerPort => 80) or die "$!"; sleep 1000' "$FAR"
connected() { ss -Htn "sport = :8087" | grep -q ESTAB; }
works connected
! container web --publish 8087:80 || unreal "the engine publishes a port that is taken"
fails fetch host http://127.0.0.1:8087/
why :8087
why web
