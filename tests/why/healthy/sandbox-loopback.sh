#!/usr/bin/env bash
# The port of a sandbox published on 127.0.0.1, asked from the host.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 127.0.0.1:8080:80
works fetch host http://127.0.0.1:8080/
why :8080
