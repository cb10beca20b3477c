#!/usr/bin/env bash
# The engine does not let containers of its default bridge talk to each other.
# code: icc-off
# engine: docker --icc=false
. "${BASH_SOURCE%/*}/../lab.sh"

container web
container api -- "${idle[@]}"
serves web 80
fails fetch api "http://$(address_of web)/"
why "$(address_of web):80" --from api
