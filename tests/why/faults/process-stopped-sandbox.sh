#!/usr/bin/env bash
# The process in a sandbox is stopped.
# code: process-stopped
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
works fetch host http://127.0.0.1:8080/
pkill -STOP --nslist pid --ns $$ -f '^busybox httpd'
fails fetch host http://127.0.0.1:8080/
why :8080
