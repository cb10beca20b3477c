#!/usr/bin/env bash
# Two containers on a network of their own, found by name.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app --publish 8080:80
container api --network app -- "${idle[@]}"
works fetch api http://web/
works fetch host http://127.0.0.1:8080/
works fetch api http://far.example/
why web:80 --from api
why web --from api
why :8080
why far.example:80 --from api
