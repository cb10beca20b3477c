#!/usr/bin/env bash
# On Docker's default bridge nobody resolves containers' names.
# code: name-not-resolved
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web
container api -- "${idle[@]}"
works fetch api "http://$(address_of web)/"
fails fetch api http://web/
why web:80 --from api
