#!/usr/bin/env bash
# The host's firewall drops all but pairs of address and port in a set, and decides by a map.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

launch host busybox httpd -f -p 8000 -h "$(pages)"
nft -f - <<'RULES'
table inet firewall {
    set open { type ipv4_addr . inet_service; flags interval; elements = { 198.51.100.0/24 . 8000, 192.0.2.0/24 . 1-1024 } }
    map ways { type ifname : verdict; elements = { "lo" : accept, "lan0" : jump from_lan } }
    chain from_lan { ip saddr . tcp dport @open accept; ip protocol icmp accept; meta l4proto ipv6-icmp accept; }
    chain incoming {
        type filter hook input priority filter; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iifname vmap @ways
    }
}
RULES
works fetch outside "http://$LAN:8000/"
works fetch host http://127.0.0.1:8000/
why :8000 --from outside
why :8000
