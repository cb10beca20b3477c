#!/usr/bin/env bash
# A sandbox in host mode.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

launch host "$PCAPSULE" run --quiet --net host --name web -- busybox httpd -f -p 8000 -h "$(pages)"
works fetch host http://127.0.0.1:8000/
why :8000
why web:8000
