#!/usr/bin/env bash
# The container is paused.
# code: process-stopped
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
docker pause web >/dev/null
later docker unpause web
fails fetch host http://127.0.0.1:8080/
why :8080
why web
heals fetch host http://127.0.0.1:8080/
