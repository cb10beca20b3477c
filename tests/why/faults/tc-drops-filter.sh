#!/usr/bin/env bash
# A filter at the ingress of the container's cable drops everything.
# code: tc-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
tc qdisc add dev vweb clsact 2>/dev/null || cannot "this kernel has no clsact"
# One instruction: return TC_ACT_SHOT.
tc filter add dev vweb ingress bpf direct-action bytecode '1,6 0 0 2' || cannot "this kernel has no bpf classifier"
fails fetch host http://10.77.0.2/
why web:80
