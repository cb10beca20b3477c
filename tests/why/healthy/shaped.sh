#!/usr/bin/env bash
# The container's cable is shaped (tbf), and a program at it lets everything pass.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
tc qdisc add dev vweb root tbf rate 10mbit burst 64kb latency 200ms
tc qdisc add dev vweb clsact 2>/dev/null || cannot "this kernel has no clsact"
tc filter add dev vweb ingress bpf direct-action bytecode '1,6 0 0 4294967295' 2>/dev/null || cannot "this kernel has no bpf classifier"
works fetch host http://10.77.0.2/
why web:80
