#!/usr/bin/env bash
# The container ends as soon as it starts, and is restarted again and again.
# code: restarting
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80 --restart always -- false
waits() { [[ $(docker inspect --format '{{.RestartCount}} {{.State.Status}}' web) == [4-9]' restarting' ]]; }
works waits
fails fetch host http://127.0.0.1:8080/
why web
why :8080
