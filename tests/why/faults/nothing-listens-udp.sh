#!/usr/bin/env bash
# A UDP port is published, but nothing listens on it.
# code: nothing-listens|listens-for-other-protocol
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container echo --publish 5300:53/udp -- "${idle[@]}"
why :5300/udp
