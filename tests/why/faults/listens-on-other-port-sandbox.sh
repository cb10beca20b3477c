#!/usr/bin/env bash
# Port 80 of the sandbox is published, but its process listens on 8000.
# code: listens-on-other-port
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80 -- httpd -f -p 8000
serves web 8000
fails fetch host http://127.0.0.1:8080/
why --names 8000 :8080
