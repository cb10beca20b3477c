#!/usr/bin/env bash
# The process listens on the container's own address alone.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 -- sh -c 'exec httpd -f -p "$(hostname -i | cut -d" " -f1)":80 -h /www'
works fetch host http://127.0.0.1:8080/
why :8080
why web:80
