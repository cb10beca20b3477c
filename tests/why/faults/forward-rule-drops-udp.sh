#!/usr/bin/env bash
# A rule drops UDP to the container, whose TCP port works.
# code: forward-rule-drops
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container echo --publish 5300:53/udp --publish 5300:53/tcp -- sh -c 'httpd -p 53 -h /www; exec perl -MIO::Socket::INET -e "
    my \$s = IO::Socket::INET->new(LocalPort => 53, Proto => q(udp)) or die;
    while (my \$p = \$s->recv(my \$m, 1500)) { \$s->send(\$m, 0, \$p) }"'
asked() { [[ $(at outside perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 5300, Proto => "udp"); $s->send("here");
    $SIG{ALRM} = sub { exit 1 }; alarm 1; $s->recv(my $m, 100); print $m' "$LAN") == here ]]; }
works asked
keep_rules
iptables -I DOCKER-USER -p udp -d "$(address_of echo)" -j DROP
! asked || unreal "UDP passes"
works fetch outside "http://$LAN:5300/"
why --names DOCKER-USER :5300/udp --from outside
