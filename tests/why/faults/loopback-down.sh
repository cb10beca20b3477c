#!/usr/bin/env bash
# The container's loopback interface is down, and it asks itself.
# code: loopback-down
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch web http://127.0.0.1/
ip -n web link set lo down
fails fetch web http://127.0.0.1/
why 127.0.0.1:80 --from web
heals fetch web http://127.0.0.1/
