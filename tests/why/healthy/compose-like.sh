#!/usr/bin/env bash
# A project as Compose makes it: two networks, labels, aliases, a database without published port.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network shop_front
network shop_back
labelled() {
    local service=$1
    shift
    container "shop-$service-1" --label com.docker.compose.project=shop --label "com.docker.compose.service=$service" "$@"
}
labelled db --network shop_back --network-alias db -- httpd -f -p 5432 -h /www
labelled web --network shop_front --network-alias web --publish 127.0.0.1:8080:80 --restart always
docker network connect --alias web shop_back shop-web-1
works fetch shop-web-1 http://db:5432/
works fetch host http://127.0.0.1:8080/
why db:5432 --from shop-web-1
why shop-db-1:5432 --from service=web
why :8080
why shop-web-1
