#!/usr/bin/env bash
# The container's port of the bridge neither learns nor floods, and nothing else leads there.
# code: lost-on-the-way
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
command bridge link set dev vweb learning off flood off
command bridge fdb delete "$(inside web ip -j link show dev eth0 | jq -r '.[0].address')" dev vweb master
fails fetch host http://10.77.0.2/
why web:80
