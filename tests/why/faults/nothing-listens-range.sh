#!/usr/bin/env bash
# A range of ports is published, and the process listens on the first alone.
# code: nothing-listens|listens-on-other-port
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080-8081:80-81
works fetch host http://127.0.0.1:8080/
fails fetch host http://127.0.0.1:8081/
why :8081
