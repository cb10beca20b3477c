#!/usr/bin/env bash
# The bridge speaks the spanning tree's protocol, and has the container's port wait.
# code: bridge-port-blocked
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
ip link set vweb nomaster
ip link set app type bridge stp_state 1 forward_delay 3000
ip link set vweb master app
waits() { command bridge -j link show dev vweb | jq -e '.[0].state == "listening"'; }
works waits
fails fetch host http://10.77.0.2/
why web:80
