#!/usr/bin/env bash
# The process may open no further file, and so accepts nothing.
# code: not-accepting
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 -- sh -c 'ulimit -n 16; exec perl -MIO::Socket::INET -e "$0"' '
    my $listener = IO::Socket::INET->new(LocalPort => 80, Listen => 20, ReuseAddr => 1) or die;
    my @open; while (open my $file, "<", "/dev/null") { push @open, $file }
    while (1) { my $peer = $listener->accept or select undef, undef, undef, 0.2; }'
serves web 80
fails fetch host "http://$(address_of web)/"
why web:80
why :8080
