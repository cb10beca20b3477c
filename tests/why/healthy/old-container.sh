#!/usr/bin/env bash
# An ended container once had the published port that a running one has.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container old --publish 8080:80 -- true
ended() { [[ $(docker inspect --format '{{.State.Status}}' old) == exited ]]; }
works ended
container web --publish 8080:80
container frozen -- "${idle[@]}"
docker pause frozen >/dev/null
works fetch host http://127.0.0.1:8080/
why :8080
why web
