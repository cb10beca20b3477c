#!/usr/bin/env bash
# Two containers on a bridge without an address, without default routes, on a host that does not forward.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

ip link add app type bridge
later ip link delete app
ip link set app up
namespace web app 10.77.0.2/24
namespace api app 10.77.0.3/24 -- "${idle[@]}"
ip -n web route delete default
ip -n api route delete default
works fetch api http://10.77.0.2/
why 10.77.0.2:80 --from api
