#!/usr/bin/env bash
# A sandbox that was made without a way out asks for somebody far away.
# code: network-internal
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --internal
fails fetch web "http://$FAR/"
why "$FAR:80" --from web
