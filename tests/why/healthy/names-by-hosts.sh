#!/usr/bin/env bash
# On the default bridge a container is known by a link, and another by an entry in hosts.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web
container api --link web --add-host "db:$(address_of web)" -- "${idle[@]}"
works fetch api http://web/
works fetch api http://db/
why web:80 --from api
why db:80 --from api
