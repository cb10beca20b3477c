#!/usr/bin/env bash
# A container asks the host by its gateway, where the process listens on 127.0.0.1 alone.
# code: listens-on-loopback
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container api --add-host host.docker.internal:host-gateway -- "${idle[@]}"
launch host busybox httpd -f -p 127.0.0.1:8000 -h "$(pages)"
serves host 8000
works fetch host http://127.0.0.1:8000/
fails fetch api http://host.docker.internal:8000/
why host.docker.internal:8000 --from api
why "$(docker inspect --format '{{.NetworkSettings.Gateway}}' api):8000" --from api
