#!/usr/bin/env bash
# A process with several ports, one of them on loopback alone, and an idle neighbour.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 --publish 8443:443 -- sh -c 'httpd -p 127.0.0.1:9000 -h /www; httpd -p 443 -h /www; exec httpd -f -p 80 -h /www'
container other -- "${idle[@]}"
works fetch host http://127.0.0.1:8080/
works fetch host http://127.0.0.1:8443/
why :8080
why :8443
why web:80
