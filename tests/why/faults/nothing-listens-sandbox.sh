#!/usr/bin/env bash
# A port of a sandbox is published, but nothing listens in it.
# code: nothing-listens
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80 -- "${idle[@]}"
fails fetch host http://127.0.0.1:8080/
why :8080
why web
