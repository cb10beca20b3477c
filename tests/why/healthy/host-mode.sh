#!/usr/bin/env bash
# A container in host mode that listens on every address.
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --network host -- httpd -f -p 8000 -h /www
works fetch host http://127.0.0.1:8000/
works fetch outside "http://$LAN:8000/"
why :8000
why web:8000
why :8000 --from outside
