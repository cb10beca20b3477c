#!/usr/bin/env bash
# A process of the host holds the port; the container could not be started.
# code: host-port-taken
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

launch host busybox httpd -f -p 8080 -h "$(pages)"
serves host 8080
! container web --publish 8080:80 || unreal "the engine publishes a port that is taken"
fails_to_answer() { [[ $(at host curl -s http://127.0.0.1:8080/) == "from the host" ]]; }
works fails_to_answer
why :8080
why web
