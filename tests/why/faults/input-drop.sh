#!/usr/bin/env bash
# The host's firewall drops what containers send to the host itself.
# code: input-drop
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container api --network app -- "${idle[@]}"
launch host busybox httpd -f -p 8000 -h "$(pages)"
gateway=$(docker inspect --format '{{.NetworkSettings.Networks.app.Gateway}}' api)
works fetch api "http://$gateway:8000/"
later iptables -D INPUT -i app -j DROP
iptables -I INPUT -i app -j DROP
fails fetch api "http://$gateway:8000/"
why :8000 --from api
why "$gateway:8000" --from api
heals fetch api "http://$gateway:8000/"
