#!/usr/bin/env bash
# The containers' networks have different lengths, so that one takes the other for far away.
# code: wrong-netmask
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.200/24
namespace api app 10.77.0.2/25 -- "${idle[@]}"
works fetch host http://10.77.0.200/
ip -n api route delete default
fails fetch api http://10.77.0.200/
why web:80 --from api
