#!/usr/bin/env bash
# The container has ended.
# code: not-running
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 -- true
ended() { [[ $(docker inspect --format '{{.State.Status}}' web) == exited ]]; }
works ended
fails fetch host http://127.0.0.1:8080/
why web
why :8080
why web:80
