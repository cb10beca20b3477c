#!/usr/bin/env bash
# Another container on the bridge has the same address.
# code: duplicate-address
# engine: docker
. "${BASH_SOURCE%/*}/../lab.sh"

network app
container web --network app --publish 8080:80
container other --network app -- "${idle[@]}"
serves web 80
address=$(address_of web)
inside other ip addr add "$address/16" dev eth0
mac_of() { inside "$1" ip -j link show dev eth0 | jq -r '.[0].address'; }
# Whoever answers first is believed.
wrong() {
    ip neigh flush dev app
    at host curl -s --max-time 0.3 -o /dev/null "http://$address/" || true
    ip neigh show "$address" dev app | grep -q "$(mac_of other)"
}
inside web tc qdisc add dev eth0 root netem delay 30ms || true
works wrong
inside web tc qdisc delete dev eth0 root || true
fails fetch host "http://$address/"
why --names "$address" web
why :8080
