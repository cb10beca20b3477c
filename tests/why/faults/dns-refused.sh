#!/usr/bin/env bash
# Nothing listens at the name server that the container asks.
# code: dns-refused|dns-silent
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container api --dns 198.51.100.2 -- "${idle[@]}"
fails fetch api http://far.example/
why far.example:80 --from api
