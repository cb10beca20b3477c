#!/usr/bin/env bash
# Rules that limit connections and their rate, neither of which is reached.
# engine: none
. "${BASH_SOURCE%/*}/../lab.sh"

sandbox web --publish 8080:80
iptables -A FORWARD -p tcp --syn --dport 80 -m connlimit --connlimit-above 200 --connlimit-mask 0 -j DROP
iptables -A FORWARD -p tcp --syn --dport 80 -m hashlimit --hashlimit-above 500/second --hashlimit-mode srcip --hashlimit-name web -j DROP
nft -f - <<'RULES'
table ip rates {
    chain passing {
        type filter hook forward priority -5; policy accept;
        tcp dport 80 ct state new limit rate 1000/second burst 1000 packets accept
        tcp dport 80 ct state new drop
    }
}
RULES
works fetch outside "http://$LAN:8080/"
why :8080 --from outside
why :8080
