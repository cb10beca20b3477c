#!/usr/bin/env bash
# A sandbox in host mode.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --net host -- httpd -f -p 8000
works fetch host http://127.0.0.1:8000/
why :8000
why web:8000
