#!/usr/bin/env bash
# Two sandboxes on a bridge of their own without a way out find each other by name.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --bridge app --internal
sandbox api --bridge app --internal -- "${idle[@]}"
works fetch api http://web/
why web:80 --from api
why web --from api
