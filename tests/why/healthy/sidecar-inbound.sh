#!/usr/bin/env bash
# A sidecar: all that comes in is redirected to another port, and the service itself listens on 127.0.0.1.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 -- sh -c 'httpd -p 127.0.0.1:80 -h /www; exec httpd -f -p 15006 -h /www'
inside web iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 15006
serves web 15006
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why :8080 --from outside
why web:80
