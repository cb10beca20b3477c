#!/usr/bin/env bash
# The process in a container of Podman listens on 127.0.0.1 alone.
# code: listens-on-loopback
# engine: podman
. "${BASH_SOURCE%/*}/../lab.sh"

pod_container web --publish 8080:80 -- httpd -f -p 127.0.0.1:80 -h /www
serves web 80
fails fetch host http://127.0.0.1:8080/
why :8080
why web
