#!/usr/bin/env bash
# A container that was restarted, and has another address than before.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container first -- "${idle[@]}"
container web --publish 8080:80 --restart always
docker stop --time 0 web >/dev/null
docker rm --force first >/dev/null
docker start web >/dev/null
works fetch host http://127.0.0.1:8080/
why :8080
why web
