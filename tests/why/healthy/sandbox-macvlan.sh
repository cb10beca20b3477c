#!/usr/bin/env bash
# A sandbox on macvlan, asked from outside.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --net macvlan --parent lan0 --ip 198.51.100.70
works fetch outside http://198.51.100.70/
why web:80 --from outside
