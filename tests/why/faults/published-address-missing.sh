#!/usr/bin/env bash
# The port is published on an address that the host does not have any more.
# code: published-address-missing
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

ip addr add 198.51.100.7/24 dev lan0
later ip addr delete 198.51.100.7/24 dev lan0
container web --publish 198.51.100.7:8080:80
works fetch outside http://198.51.100.7:8080/
ip addr delete 198.51.100.7/24 dev lan0
fails fetch outside http://198.51.100.7:8080/
why :8080
