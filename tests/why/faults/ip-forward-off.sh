#!/usr/bin/env bash
# The host does not forward.
# code: ip-forward-off
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web --publish 8080:80
works fetch outside "http://$LAN:8080/"
later sysctl -qw net.ipv4.ip_forward=1
sysctl -qw net.ipv4.ip_forward=0
fails fetch outside "http://$LAN:8080/"
fails fetch web "http://$FAR/"
why :8080 --from outside
why "$FAR:80" --from web
heals fetch web "http://$FAR/"
