#!/usr/bin/env bash
# A container made by hand, on a host that forwards but does not hide its address.
# code: masquerade-missing
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
fails fetch web "http://$FAR/"
why "$FAR:80" --from web
heals fetch web "http://$FAR/"
