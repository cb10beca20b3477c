#!/usr/bin/env bash
# A container in host mode listens on 127.0.0.1, and is asked from outside.
# code: listens-on-loopback
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --network host -- httpd -f -p 127.0.0.1:8000 -h /www
works fetch host http://127.0.0.1:8000/
fails fetch outside "http://$LAN:8000/"
why :8000 --from outside
why web:8000 --from outside
