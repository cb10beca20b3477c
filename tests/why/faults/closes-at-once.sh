#!/usr/bin/env bash
# The process takes the connection and closes it without a word.
# code: closes-at-once|no-answer|refused
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 -- perl -MIO::Socket::INET -e '
    my $listener = IO::Socket::INET->new(LocalPort => 80, Listen => 20, ReuseAddr => 1) or die; while (1) { close $listener->accept }'
serves web 80
fails fetch host http://127.0.0.1:8080/
why :8080
