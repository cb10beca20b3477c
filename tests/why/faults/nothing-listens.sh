#!/usr/bin/env bash
# A port is published, but nothing listens in the container.
# code: nothing-listens
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 -- "${idle[@]}"
fails fetch host http://127.0.0.1:8080/
fails fetch outside "http://$LAN:8080/"
why :8080
why web:80
why web
