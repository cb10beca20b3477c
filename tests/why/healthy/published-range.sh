#!/usr/bin/env bash
# A range of ports.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080-8082:8080-8082 -- sh -c 'httpd -p 8080 -h /www; httpd -p 8081 -h /www; exec httpd -f -p 8082 -h /www'
works fetch host http://127.0.0.1:8080/
works fetch host http://127.0.0.1:8082/
why :8080
why :8081
why :8082 --from outside
