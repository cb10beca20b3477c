#!/usr/bin/env bash
# Two sandboxes on different bridges.
# code: different-networks
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --bridge one
sandbox api --bridge two -- "${idle[@]}"
serves web 80
fails fetch api http://web/
why web:80 --from api
