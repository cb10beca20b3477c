#!/usr/bin/env bash
# The process listens on 127.0.0.1 of its container alone, and a port is published.
# code: listens-on-loopback
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 -- httpd -f -p 127.0.0.1:80 -h /www
serves web 80
works fetch web http://127.0.0.1/
fails fetch host http://127.0.0.1:8080/
fails fetch outside "http://$LAN:8080/"
why --names '127\.0\.0\.1' :8080
why :8080 --from outside
why web
