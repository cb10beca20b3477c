#!/usr/bin/env bash
# A host-mode service listens on a shared address that another machine has.
# code: listens-on-other-address
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sysctl -qw net.ipv4.ip_nonlocal_bind=1
launch host busybox httpd -f -p 198.51.100.9:8000 -h "$(pages)"
serves host 8000
fails fetch outside "http://$LAN:8000/"
fails fetch host http://127.0.0.1:8000/
why --names '198\.51\.100\.9' :8000
why :8000 --from outside
