#!/usr/bin/env bash
# The process in a sandbox listens on 127.0.0.1 alone.
# code: listens-on-loopback
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80 -- httpd -f -p 127.0.0.1:80
serves web 80
fails fetch host http://127.0.0.1:8080/
fails fetch outside "http://$LAN:8080/"
why :8080
why web
