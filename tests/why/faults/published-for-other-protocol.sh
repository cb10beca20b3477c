#!/usr/bin/env bash
# The port is published for UDP alone, and asked by TCP.
# code: published-for-other-protocol
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80/udp
fails fetch host http://127.0.0.1:8080/
why :8080
