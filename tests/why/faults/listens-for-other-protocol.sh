#!/usr/bin/env bash
# The container listens on TCP, and its port is published for UDP.
# code: listens-for-other-protocol
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80/udp
serves web 80
why :8080/udp
