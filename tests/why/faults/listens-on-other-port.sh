#!/usr/bin/env bash
# Port 80 of the container is published, but its process listens on 8000.
# code: listens-on-other-port
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 -- httpd -f -p 8000 -h /www
serves web 8000
fails fetch host http://127.0.0.1:8080/
why --names 8000 :8080
why --names 8000 web:80
