#!/usr/bin/env bash
# The process in a sandbox is stopped.
# code: process-stopped
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
works fetch host http://127.0.0.1:8080/
pid=$(inside web ss -Hltnp 'sport = :80' | grep -o 'pid=[0-9]*' | head -n 1 | cut -d= -f2)
kill -STOP "$pid"
fails fetch host http://127.0.0.1:8080/
why :8080
heals fetch host http://127.0.0.1:8080/
