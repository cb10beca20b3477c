#!/usr/bin/env bash
# Ports published on 127.0.0.1, on the host's own address, and on ::1.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 127.0.0.1:8080:80 --publish "$LAN:8081:80" --publish '[::1]:8082:80'
works fetch host http://127.0.0.1:8080/
works fetch host "http://$LAN:8081/"
works fetch outside "http://$LAN:8081/"
works fetch host 'http://[::1]:8082/'
why :8080
why :8081
why :8081 --from outside
why :8082
