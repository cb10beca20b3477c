#!/usr/bin/env bash
# A network with IPv6, the service on both families.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --ipv6 --subnet fd00:a::/64
container web --network app --publish 8080:80
container api --network app -- "${idle[@]}"
works fetch host http://127.0.0.1:8080/
works fetch host 'http://[::1]:8080/'
works fetch outside "http://[$LAN6]:8080/"
works fetch api http://web/
works fetch api "http://[$(address6_of web)]/"
why :8080
why web
why web:80 --from api
why :8080 --from outside
