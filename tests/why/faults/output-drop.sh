#!/usr/bin/env bash
# The host's own firewall drops what the host sends to the container.
# code: output-drop
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch host http://127.0.0.1:8080/
later iptables -D OUTPUT -o docker0 -p tcp -j DROP
iptables -I OUTPUT -o docker0 -p tcp -j DROP
fails fetch host http://127.0.0.1:8080/
why --names OUTPUT :8080
heals fetch host http://127.0.0.1:8080/
