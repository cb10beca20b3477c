#!/usr/bin/env bash
# The first process of the neighbour: a machine on the LAN of a case's host that is also its router, its name server, and a
# web server far away. Called by host.sh in namespaces of its own.
set -euo pipefail
folder=$1
. "${0%/*}/net.sh"
mount -t tmpfs tmpfs /run
ip link set lo up
sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
    net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0
echo here >"$folder/up"
until ip link show lan0 >/dev/null 2>&1; do sleep 0.02; done
ip link set lan0 addrgenmode none
ip addr add "$NEIGHBOUR_ADDRESS/24" dev lan0
ip addr add "$DNS/24" dev lan0
ip addr add "$NEIGHBOUR6/64" dev lan0 nodad
ip addr add "$FAR/32" dev lo
ip link set lan0 up

mkdir -p /run/www
echo "hello from far" >/run/www/index.html
head -c 100000 /dev/zero | tr '\0' x >/run/www/big
busybox httpd -p "$FAR:80" -h /run/www
# Answers every question of an A record for far.example; others do not exist.
perl -MIO::Socket::INET -e '
    my ($own, $far) = @ARGV;
    my $socket = IO::Socket::INET->new(LocalAddr => $own, LocalPort => 53, Proto => "udp") or die "port 53: $!";
    while (my $peer = $socket->recv(my $question, 512)) {
        my ($id) = unpack "n", $question;
        my ($name, $type) = ("", 0);
        my $at = 12;
        while (my $length = ord substr $question, $at, 1) { $name .= substr($question, $at + 1, $length) . "."; $at += 1 + $length; }
        $type = unpack "n", substr $question, $at + 1, 2;
        my $asked = substr $question, 12, $at + 5 - 12;
        my $known = lc $name eq "far.example.";
        my $answer = $known && $type == 1 ? pack("nnnNna4", 0xc00c, 1, 1, 60, 4, pack "C4", split /\./, $far) : "";
        $socket->send(pack("nnnnnn", $id, $known ? 0x8180 : 0x8183, 1, length $answer ? 1 : 0, 0, 0) . $asked . $answer, 0, $peer);
    }' "$DNS" "$FAR" &
echo ready >"$folder/up"
exec env --ignore-signal=CHLD cat >/dev/null
