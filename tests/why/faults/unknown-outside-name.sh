#!/usr/bin/env bash
# The name server answers that there is no such name.
# code: name-not-resolved
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container api -- "${idle[@]}"
works fetch api http://far.example/
fails fetch api http://gone.example/
why gone.example:80 --from api
