#!/usr/bin/env bash
# The bridge filters VLANs, and the container's port is in none.
# code: vlan-filtered
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
ip link set app type bridge vlan_filtering 1 2>/dev/null || cannot "this kernel has no VLAN filtering in bridges"
command bridge vlan delete dev vweb vid 1
fails fetch host http://10.77.0.2/
why web:80
