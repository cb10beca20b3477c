#!/usr/bin/env bash
# Two containers want the same host port; the second could not be started.
# code: host-port-taken
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container first --publish 8080:80
! container web --publish 8080:80 || unreal "the engine publishes a port twice"
created() { [[ $(docker inspect --format '{{.State.Status}}' web) == created ]]; }
works created
why web
