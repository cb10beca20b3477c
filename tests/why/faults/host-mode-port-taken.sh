#!/usr/bin/env bash
# A container in host mode wants a port that a process of the host holds.
# code: host-mode-port-taken
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

launch host busybox httpd -f -p 8000 -h "$(pages)"
serves host 8000
container web --network host -- httpd -f -p 8000 -h /www
ended() { [[ $(docker inspect --format '{{.State.Status}}' web) == exited ]]; }
works ended
others() { [[ $(at host curl -s http://127.0.0.1:8000/) == "from the host" ]]; }
works others
why web:8000
