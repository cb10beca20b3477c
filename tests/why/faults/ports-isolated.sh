#!/usr/bin/env bash
# Both ports of the bridge are isolated.
# code: ports-isolated
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
namespace api app 10.77.0.3/24 -- "${idle[@]}"
works fetch api http://10.77.0.2/
command bridge link set dev vweb isolated on
command bridge link set dev vapi isolated on
fails fetch api http://10.77.0.2/
why web:80 --from api
