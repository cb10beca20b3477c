#!/usr/bin/env bash
# The cable of one container takes smaller frames than the other sends, and the bridge drops them without a word.
# code: mtu-black-hole
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

need ethtool
bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
namespace api app 10.77.0.3/24 -- "${idle[@]}"
inside web ethtool -K eth0 tso off gso off >/dev/null
works fetch api http://10.77.0.2/big
ip link set vapi mtu 1000
works fetch api http://10.77.0.2/
fails fetch api http://10.77.0.2/big
why web:80 --from api
heals fetch api http://10.77.0.2/big
