#!/usr/bin/env bash
# The first name server says that there is no such name; the second, which knows it, is not asked.
# code: name-not-resolved
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

later at outside ip addr delete 198.51.100.54/24 dev lan0
at outside ip addr add 198.51.100.54/24 dev lan0
launch outside perl -MIO::Socket::INET -e '
    my $socket = IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => 53, Proto => "udp") or die;
    while (my $peer = $socket->recv(my $question, 512)) {
        my $at = 12;
        while (my $length = ord substr $question, $at, 1) { $at += 1 + $length; }
        $socket->send(pack("nnnnnn", unpack("n", $question), 0x8183, 1, 0, 0, 0) . substr($question, 12, $at + 5 - 12), 0, $peer);
    }' 198.51.100.54
container api --dns 198.51.100.54 --dns "$DNS" -- "${idle[@]}"
answers() { at outside ss -Hlun "src 198.51.100.54" | grep -q .; }
works answers
fails fetch api http://far.example/
why --names '198\.51\.100\.54' far.example:80 --from api
