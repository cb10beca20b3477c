#!/usr/bin/env bash
# Frames between two containers of a bridge pass iptables (bridge-nf-call-iptables), whose policy is drop.
# code: forward-policy-drop|forward-rule-drops
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
namespace api app 10.77.0.3/24 -- "${idle[@]}"
works fetch api http://10.77.0.2/
bridge_nf 1
works fetch api http://10.77.0.2/
iptables -P FORWARD DROP
fails fetch api http://10.77.0.2/
why web:80 --from api
heals fetch api http://10.77.0.2/
