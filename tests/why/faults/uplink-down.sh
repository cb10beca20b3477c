#!/usr/bin/env bash
# The host's uplink is down.
# code: uplink-down|no-default-route
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

container web
works fetch web "http://$FAR/"
later ip route add default via "$NEIGHBOUR_ADDRESS"
later ip -6 route add default via "$NEIGHBOUR6"
later ip addr add "$LAN6/64" dev lan0 nodad
later ip link set lan0 up
ip link set lan0 down
fails fetch web "http://$FAR/"
why "$FAR:80" --from web
