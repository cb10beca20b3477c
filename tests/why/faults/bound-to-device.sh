#!/usr/bin/env bash
# The process listens on all addresses, but of another interface alone (SO_BINDTODEVICE).
# code: listens-on-other-address
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

need socat
sandbox web --publish 8080:80 -- socat TCP-LISTEN:80,fork,reuseaddr,so-bindtodevice=lo EXEC:cat
serves web 80
fails fetch host http://127.0.0.1:8080/
why --names '\blo\b' :8080
why web:80
