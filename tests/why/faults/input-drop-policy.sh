#!/usr/bin/env bash
# The host's firewall lets in what it knows, and a host-mode service is not among it.
# code: input-drop
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

launch host busybox httpd -f -p 8000 -h "$(pages)"
works fetch outside "http://$LAN:8000/"
nft -f - <<'RULES'
table inet firewall {
    chain incoming {
        type filter hook input priority filter; policy drop;
        iifname "lo" accept
        ct state established,related accept
        icmp type echo-request accept
        meta l4proto ipv6-icmp accept
        tcp dport 22 accept
    }
}
RULES
fails fetch outside "http://$LAN:8000/"
why --names firewall :8000 --from outside
heals fetch outside "http://$LAN:8000/"
