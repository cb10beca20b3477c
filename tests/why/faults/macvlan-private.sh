#!/usr/bin/env bash
# Two containers on one macvlan network in private mode.
# code: macvlan-private|lost-on-the-way
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

later docker network rm lan
docker network create --driver macvlan --opt parent=lan0 --opt macvlan_mode=private --subnet 198.51.100.0/24 --gateway 198.51.100.2 \
    --ip-range 198.51.100.64/28 lan >/dev/null
container web --network lan
container api --network lan -- "${idle[@]}"
works fetch outside "http://$(address_of web)/"
fails fetch api http://web/
why web:80 --from api
