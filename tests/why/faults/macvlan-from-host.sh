#!/usr/bin/env bash
# A container on macvlan, asked from the host whose interface it is on.
# code: macvlan-from-host
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

later docker network rm lan
docker network create --driver macvlan --opt parent=lan0 --subnet 198.51.100.0/24 --gateway 198.51.100.2 --ip-range 198.51.100.64/28 lan >/dev/null
container web --network lan
works fetch outside "http://$(address_of web)/"
fails fetch host "http://$(address_of web)/"
why web:80
