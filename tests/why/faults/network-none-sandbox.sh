#!/usr/bin/env bash
# The sandbox has no network at all.
# code: network-none
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --net none
serves web 80
fails fetch web "http://$FAR/"
why web
