#!/usr/bin/env bash
# All that comes to a container is redirected to a process inside, which has gone.
# code: nothing-listens
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
inside web iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 15006
fails fetch host http://127.0.0.1:8080/
why --names 15006 :8080
why --names 15006 web:80
