#!/usr/bin/env bash
# Inter-container communication is off, but the published port is asked from the host and outside.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --opt com.docker.network.bridge.enable_icc=false
container web --network app --publish 8080:80
container api --network app -- "${idle[@]}"
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why :8080 --from outside
