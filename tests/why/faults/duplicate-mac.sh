#!/usr/bin/env bash
# Two containers on the bridge have the same hardware address.
# code: duplicate-mac
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app --publish 8080:80
container other --network app -- "${idle[@]}"
serves web 80
inside other ip link set eth0 down
inside other ip link set eth0 address "$(inside web ip -j link show dev eth0 | jq -r '.[0].address')"
inside other ip link set eth0 up
launch other perl -MIO::Socket::INET -e '
    my $to = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 9, Proto => "udp");
    while (1) { send $to, "here", 0; select undef, undef, undef, 0.005; }' "$(docker inspect --format '{{.NetworkSettings.Networks.app.Gateway}}' web)"
fails_at_times() { ! fetch host "http://$(address_of web)/"; }
works fails_at_times
proof="the page does not come while the other one talks"
why web
why :8080
