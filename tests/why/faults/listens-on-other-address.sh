#!/usr/bin/env bash
# The container is on two networks and listens on its address of one; the port is asked on the other.
# code: listens-on-other-address
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network front
network back
container web --network front -- "${idle[@]}"
docker network connect back web
container api --network front -- "${idle[@]}"
launched_in() { docker exec --detach web httpd -p "$1:80" -h /www; }
launched_in "$(address_of web eth1)"
serves web 80
fails fetch api http://web/
why web:80 --from api
