#!/usr/bin/env bash
# The process in the container has made a network of its own, and listens there.
# code: nothing-listens|network-none
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --cap-add SYS_ADMIN --security-opt seccomp=unconfined --publish 8080:80 -- unshare -n httpd -f -p 80 -h /www
busy() { docker top web | grep -q httpd; }
works busy
fails fetch host http://127.0.0.1:8080/
why :8080
why web:80
