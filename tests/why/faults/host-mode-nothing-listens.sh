#!/usr/bin/env bash
# A container in host mode that listens on another port.
# code: nothing-listens|listens-on-other-port
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --network host -- httpd -f -p 8000 -h /www
serves host 8000
fails fetch host http://127.0.0.1:8001/
why web:8001
