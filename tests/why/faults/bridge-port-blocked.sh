#!/usr/bin/env bash
# The container's port of the bridge is switched off, as the spanning tree does.
# code: bridge-port-blocked
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
command bridge link set dev vweb state 0
fails fetch host http://10.77.0.2/
why web:80
heals fetch host http://10.77.0.2/
