#!/usr/bin/env bash
# The process wants every segment of the host signed (TCP MD5), which the asker does not do.
# code: lost-on-the-way
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24 -- perl -MSocket -e '
    socket(my $s, PF_INET, SOCK_STREAM, 0) or die; setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($s, sockaddr_in(179, INADDR_ANY)) or die;
    my $peer = pack("a128", pack_sockaddr_in(0, inet_aton("10.77.0.1")));
    setsockopt($s, 6, 14, $peer . pack("CCSL a80", 0, 0, 6, 0, "secret")) or die "md5: $!";
    listen $s, 5; sleep 1000'
serves web 179
fails fetch host http://10.77.0.2:179/
why web:179
