#!/usr/bin/env bash
# A shaper at the container's cable takes no packet as large as the first one (tbf).
# code: tc-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
tc qdisc add dev vweb root tbf rate 1mbit burst 60b latency 5ms
fails fetch host http://10.77.0.2/
why --names tbf web:80
