#!/usr/bin/env bash
# A flow of UDP is older than the rule that publishes the port, and goes on past it.
# code: conntrack-stale|dnat-missing
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace echo app 10.77.0.2/24 -- perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(LocalPort => 53, Proto => "udp") or die;
    while (my $p = $s->recv(my $m, 1500)) { $s->send($m, 0, $p) }'
serves echo 53 udp
asked() { # asked PORT: from that port
    at outside perl -MIO::Socket::INET -e '
        my $s = IO::Socket::INET->new(LocalPort => $ARGV[1], PeerAddr => $ARGV[0], PeerPort => 5300, Proto => "udp"); $s->send("here");
        $SIG{ALRM} = sub { exit 28 }; alarm 1; defined $s->recv(my $m, 100) or exit 7; exit($m eq "here" ? 0 : 52)' "$LAN" "$1"
}
iptables -A INPUT -p udp --dport 5300 -m conntrack --ctstate NEW -j ACCEPT
fails asked 7000
iptables -t nat -A PREROUTING -p udp --dport 5300 -j DNAT --to 10.77.0.2:53
works asked 7001
fails asked 7000
why --names 7000 :5300/udp --from outside
