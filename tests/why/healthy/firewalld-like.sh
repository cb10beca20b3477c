#!/usr/bin/env bash
# Zones as firewalld makes them, with verdict maps and a final reject, which let the service in.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

launch host busybox httpd -f -p 8000 -h "$(pages)"
bridge app 10.77.0.1/24
sysctl -qw net.ipv4.ip_forward=1
namespace web app 10.77.0.2/24
nft -f - <<'RULES'
table inet firewalld {
    chain filter_IN_public_allow { tcp dport 22 accept; tcp dport 8000 accept; }
    chain filter_IN_public { jump filter_IN_public_allow; meta l4proto { icmp, ipv6-icmp } accept; reject with icmpx admin-prohibited; }
    chain filter_IN_trusted { accept; }
    chain filter_INPUT {
        type filter hook input priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state invalid drop
        iifname vmap { "lan0" : goto filter_IN_public, "app" : goto filter_IN_trusted }
        reject with icmpx admin-prohibited
    }
    chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state invalid drop
        iifname "app" accept
        reject with icmpx admin-prohibited
    }
    chain nat_POSTROUTING { type nat hook postrouting priority srcnat + 10; policy accept; oifname "lan0" ip saddr 10.77.0.0/24 masquerade; }
}
RULES
works fetch outside "http://$LAN:8000/"
works fetch web "http://$FAR/"
works fetch host http://10.77.0.2/
works fetch web http://10.77.0.1:8000/
why :8000
why :8000 --from outside
why "$FAR:80" --from web
why web:80
why :8000 --from web
