#!/usr/bin/env bash
# A port published on one that the engine chose.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 80
port=$(docker port web 80 | sed -n '1s/.*://p')
works fetch host "http://127.0.0.1:$port/"
why ":$port"
why web
