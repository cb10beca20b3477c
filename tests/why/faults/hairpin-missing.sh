#!/usr/bin/env bash
# A container asks its own published port; there is no proxy, and the bridge does not send back by the same port.
# code: hairpin-missing
# engine: docker --userland-proxy=false
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
bridge_nf 1
works fetch web "http://$LAN:8080/"
command bridge link set dev "$(cable_of web)" hairpin off
fails fetch web "http://$LAN:8080/"
why :8080 --from web
heals fetch web "http://$LAN:8080/"
