#!/usr/bin/env bash
# The host itself has the container's address, on another interface.
# code: duplicate-address
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
namespace web app 10.77.0.2/24
works fetch host http://10.77.0.2/
bridge old 10.77.0.2/32
fails fetch host http://10.77.0.2/
why --names '\bold\b' web:80
