#!/usr/bin/env bash
# A queueing discipline at the container's cable loses everything.
# code: tc-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
tc qdisc add dev vweb root blackhole
fails fetch host http://10.77.0.2/
why --names blackhole web:80
heals fetch host http://10.77.0.2/
