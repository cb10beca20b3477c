#!/usr/bin/env bash
# A network with a small MTU on all its ends.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app --opt com.docker.network.driver.mtu=1280
container web --network app --publish 8080:80
container api --network app -- "${idle[@]}"
works fetch api http://web/big
works fetch outside "http://$LAN:8080/big"
why :8080
why web:80 --from api
