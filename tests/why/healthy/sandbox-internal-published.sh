#!/usr/bin/env bash
# A sandbox without a way out, whose published port the proxy carries.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --internal --publish 8080:80
sandbox api --internal -- "${idle[@]}"
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
works fetch api http://web/
why :8080
why :8080 --from outside
why web
why web:80 --from api
