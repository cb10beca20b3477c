#!/usr/bin/env bash
# Port 8080 is published, but 8081 is asked for.
# code: published-on-other-port
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
fails fetch host http://127.0.0.1:8081/
why --names 8080 :8081
why --names 8080 :8081 --from outside
