#!/usr/bin/env bash
# The asking container has no local port left.
# code: local-ports-used-up|ports-exhausted|no-local-port
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24 -- perl -MIO::Socket::INET -e '
    my $listener = IO::Socket::INET->new(LocalPort => 80, Listen => 20, ReuseAddr => 1) or die;
    while (my $peer = $listener->accept) { push @all, $peer; $peer->print("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"); $peer->flush }'
namespace api app 10.77.0.3/24 -- "${idle[@]}"
serves web 80
works fetch api http://10.77.0.2/
ip netns exec api sysctl -qw net.ipv4.ip_local_port_range="40000 40001"
launch api perl -MIO::Socket::INET -e '
    my @all = map { IO::Socket::INET->new(PeerAddr => "10.77.0.2", PeerPort => 80) } 1 .. 2; sleep 1000'
full() { (($(inside api ss -Htn state established "dport = :80" | wc -l) == 2)); }
works full
fails fetch api http://10.77.0.2/
why web:80 --from api
