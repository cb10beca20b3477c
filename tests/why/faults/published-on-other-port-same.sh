#!/usr/bin/env bash
# The container's port 80 is published as 8080, but asked for as 80 on the host.
# code: published-on-other-port
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
fails fetch host http://127.0.0.1:80/
why --names 8080 :80
