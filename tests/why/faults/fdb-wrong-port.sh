#!/usr/bin/env bash
# A fixed entry of the bridge leads to another port for the container's hardware address.
# code: neighbour-wrong
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
namespace other app 10.77.0.3/24 -- "${idle[@]}"
works fetch host http://10.77.0.2/
command bridge fdb replace "$(inside web ip -j link show dev eth0 | jq -r '.[0].address')" dev vother master static sticky
fails fetch host http://10.77.0.2/
why --names vother web:80
