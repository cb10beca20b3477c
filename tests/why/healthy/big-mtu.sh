#!/usr/bin/env bash
# Containers with large frames behind an uplink with small ones, about which they are told.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --opt com.docker.network.driver.mtu=9000
container web --network app --publish 8080:80
container api --network app -- "${idle[@]}"
works fetch api http://web/big
works fetch outside "http://$LAN:8080/big"
works fetch web "http://$FAR/big"
why :8080 --from outside
why web:80 --from api
why "$FAR:80" --from web
