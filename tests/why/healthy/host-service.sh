#!/usr/bin/env bash
# A service of the host itself, no container.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

launch host busybox httpd -f -p 8000 -h "$(pages)"
works fetch host http://127.0.0.1:8000/
works fetch outside "http://$LAN:8000/"
why :8000
why :8000 --from outside
