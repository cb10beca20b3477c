#!/usr/bin/env bash
# A bridge with a VLAN interface of the uplink as a port.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

ip link add link lan0 name lan0.7 type vlan id 7 2>/dev/null || cannot "this kernel has no VLAN interfaces"
later ip link delete lan0.7
at outside ip link add link lan0 name lan0.7 type vlan id 7
at outside ip addr add 10.77.0.9/24 dev lan0.7
at outside ip link set lan0.7 up
bridge app 10.77.0.1/24
ip link set lan0.7 master app up
namespace web app 10.77.0.2/24
works fetch outside http://10.77.0.2/
works fetch host http://10.77.0.2/
why web:80
