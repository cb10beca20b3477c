#!/usr/bin/env bash
# Two containers on a macvlan network, which find each other and the neighbour.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

later docker network rm lan
docker network create --driver macvlan --opt parent=lan0 --subnet 198.51.100.0/24 --gateway 198.51.100.2 --ip-range 198.51.100.64/28 lan >/dev/null
container web --network lan
container api --network lan -- "${idle[@]}"
works fetch api http://web/
works fetch outside "http://$(address_of web)/"
why web:80 --from api
why web:80 --from outside
