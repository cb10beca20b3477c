#!/usr/bin/env bash
# Port 8080 of a sandbox is published, but 8081 is asked for.
# code: published-on-other-port
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
works fetch host http://127.0.0.1:8080/
fails fetch host http://127.0.0.1:8081/
why --names 8080 :8081
