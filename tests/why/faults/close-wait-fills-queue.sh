#!/usr/bin/env bash
# The process has stopped accepting, and clients that gave up fill its queue.
# code: backlog-full
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 -- perl -MIO::Socket::INET -e '
    my $listener = IO::Socket::INET->new(LocalPort => 80, Listen => 1, ReuseAddr => 1) or die; sleep 1000'
serves web 80
for _ in 1 2 3 4; do at host timeout 0.3 busybox nc "$(address_of web)" 80 </dev/null || true; done
full() { (($(inside web ss -Htn state close-wait "sport = :80" | wc -l) >= 2)); }
works full
fails fetch host "http://$(address_of web)/"
why web:80
why :8080
