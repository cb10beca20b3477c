#!/usr/bin/env bash
# The container was made but never started.
# code: not-running
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

later docker rm --force web
docker create --name web --publish 8080:80 why:lab httpd -f -p 80 -h /www >/dev/null
docker_ids
fails fetch host http://127.0.0.1:8080/
why web
why :8080
heals fetch host http://127.0.0.1:8080/
