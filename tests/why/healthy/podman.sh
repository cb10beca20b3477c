#!/usr/bin/env bash
# A container of Podman with published ports.
# engine: podman
. "${BASH_SOURCE%/*}/../lab.sh"

pod_container web --publish 8080:80 --publish 127.0.0.1:8081:80
works fetch host http://127.0.0.1:8080/
works fetch host http://127.0.0.1:8081/
works fetch outside "http://$LAN:8080/"
works fetch web "http://$FAR/"
why :8080
why :8080 --from outside
why :8081
why web
why "$FAR:80" --from web
