#!/usr/bin/env bash
# A UDP service that answers, published, beside a TCP service on the same port.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container echo --publish 5300:53/udp --publish 5300:53/tcp -- sh -c 'httpd -p 53 -h /www; exec perl -MIO::Socket::INET -e "
    my \$s = IO::Socket::INET->new(LocalPort => 53, Proto => q(udp)) or die;
    while (my \$p = \$s->recv(my \$m, 1500)) { \$s->send(\$m, 0, \$p) }"'
asked() { [[ $(at host perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => 5300, Proto => "udp"); $s->send("here");
    $SIG{ALRM} = sub { exit 1 }; alarm 1; $s->recv(my $m, 100); print $m') == here ]]; }
works asked
works fetch host http://127.0.0.1:5300/
why :5300
why :5300/udp
why echo:53/udp
