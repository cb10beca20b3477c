#!/usr/bin/env bash
# The process listens on the one interface by which it is asked (SO_BINDTODEVICE).
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

need socat
sandbox web --publish 8080:80 -- socat TCP-LISTEN:80,fork,reuseaddr,so-bindtodevice=eth0 'SYSTEM:printf "HTTP/1.0 200 OK\r\n\r\nhere"'
serves web 80
works fetch host http://127.0.0.1:8080/
works fetch outside "http://$LAN:8080/"
why :8080
why web:80
