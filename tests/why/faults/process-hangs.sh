#!/usr/bin/env bash
# The process runs, but never accepts: the kernel does, and nobody answers.
# code: process-stopped|not-accepting|no-answer
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 -- perl -MIO::Socket::INET -e '
    my $listener = IO::Socket::INET->new(LocalPort => 80, Listen => 100, ReuseAddr => 1) or die; sleep 1000'
serves web 80
fails fetch host http://127.0.0.1:8080/
why :8080
