#!/usr/bin/env bash
# The host's firewall drops the containers' questions to a name server on the host.
# code: dns-silent|input-drop
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

launch host perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalAddr => "172.17.0.1", LocalPort => 53, Proto => "udp") or die; sleep 1000'
container api --dns 172.17.0.1 -- "${idle[@]}"
later iptables -D INPUT -i docker0 -j DROP
iptables -I INPUT -i docker0 -j DROP
fails fetch api http://far.example/
why far.example:80 --from api
