#!/usr/bin/env bash
# The process is stopped (SIGSTOP): the kernel accepts, and nobody answers.
# code: process-stopped
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
kill -STOP "$(pid_of web)"
later kill -CONT "$(pid_of web)"
fails fetch host http://127.0.0.1:8080/
why :8080
why web
heals fetch host http://127.0.0.1:8080/
