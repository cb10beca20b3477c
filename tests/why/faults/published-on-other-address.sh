#!/usr/bin/env bash
# The port is published on another address of the host than the one that is asked.
# code: listens-on-other-address
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

ip addr add 198.51.100.7/24 dev lan0
later ip addr delete 198.51.100.7/24 dev lan0
container web --publish 198.51.100.7:8080:80
works fetch outside http://198.51.100.7:8080/
fails fetch outside "http://$LAN:8080/"
fails fetch host http://127.0.0.1:8080/
why --names '198\.51\.100\.7' "$LAN:8080" --from outside
why --names '198\.51\.100\.7' 127.0.0.1:8080
