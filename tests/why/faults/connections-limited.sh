#!/usr/bin/env bash
# A rule takes two connections at once, and there are two.
# code: forward-rule-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
at outside ip route add 10.77.0.0/24 via "$LAN"
iptables -A FORWARD -p tcp --syn --dport 80 -m connlimit --connlimit-above 2 --connlimit-mask 0 -j DROP
works fetch outside http://10.77.0.2/
launch outside perl -MIO::Socket::INET -e 'my @all = map { IO::Socket::INET->new(PeerAddr => "10.77.0.2", PeerPort => 80) } 1 .. 2; sleep 1000'
two() { (($(inside web ss -Htn state established "sport = :80" | wc -l) == 2)); }
works two
fails fetch outside http://10.77.0.2/
why --names connlimit web:80 --from outside
